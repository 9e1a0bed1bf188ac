import test from 'ava';
import { Forecast } from '../../../agent/selftest/forecast.ts';
import { checkTitles } from '../../../agent/selftest/contract.ts';
import type { SelftestSandbox } from '../../../schemas/selftest.ts';

function ended(name: 'process' | 'runc', result: SelftestSandbox['result']): SelftestSandbox {
  return { name, result, details: {}, checks: [], trials: [], contractMs: 1, trialsMs: 0 };
}

test('what is left is the checks to come and the time for trials', (t) => {
  const forecast = new Forecast(['process', 'runc'], 10_000);
  const checks = checkTitles('process').length + checkTitles('runc').length;
  t.like(forecast.progress('process'), { done: 0, total: 2, leftMs: checks * 500 + 10_000 });
  forecast.beginCheck('process');
  t.is(forecast.progress('process').leftMs, (checks - 1) * 500 + 10_000);

  forecast.endContract(ended('process', 'pass'));
  t.like(forecast.progress('runc'), { done: 1, total: 2 });
  t.is(forecast.progress('runc').leftMs, checkTitles('runc').length * 500 + 10_000);

  // What is not there takes no time and has no trials.
  forecast.endContract(ended('runc', 'unavailable'));
  t.like(forecast.progress('process'), { done: 0, total: 1, leftMs: 10_000 });
  forecast.endTrials(10_000);
  t.is(forecast.progress('process').leftMs, 0);
});
