import test from 'ava';
import { summarisedLabels } from '../../../coordinator/analysis/measure-tally.ts';
import { summarise } from '../../../coordinator/analysis/summary.ts';
import { measureLines } from '../../../coordinator/report/measure-table.ts';
import type { Measurement } from '../../../schemas/measurement.ts';
import type { TrialResult } from '../../../schemas/result.ts';
import { makeRun } from '../../support/run-fixture.ts';

const { run, plan, results } = makeRun({
  kind: 'compute',
  sandboxes: ['process'],
  functions: ['hello-go'],
  repetitions: 7,
});

const call = (number: number, value: number, instance = 0): Measurement => ({
  measure: 'call.duration',
  value,
  instance,
  labels: { call: String(number), work: 'fib' },
});

/** The nth trial of the run measures these. */
function measured(of: (trial: number, result: TrialResult) => Measurement[]): TrialResult[] {
  return results.map((result) => {
    const trial = plan.trials.findIndex(({ trialId }) => trialId === result.trialId);
    return { ...result, measurements: of(trial, result) };
  });
}

test('the first call and the later ones are lines of their own, a trial counts once', (t) => {
  const all = measured((trial) => [
    ...[call(1, 1000 + trial), call(2, 10), call(3, 20 + trial), call(4, 30 + 2 * trial)],
  ]);
  const { measures = [] } = summarise(run, plan, all);
  const lines = measures.filter(({ cellId }) => cellId === plan.cells[0]?.id);
  t.deepEqual(
    lines.map(({ labels, n, median }) => [labels['call'], n, median]),
    [
      ['first', 7, 1003],
      ['later', 7, 23],
    ],
  );
  const [first] = lines;
  t.is(first?.min, 1000);
  t.is(first?.max, 1006);
  t.true((first?.interval?.lower ?? 0) >= 1000 && (first?.interval?.upper ?? 0) <= 1006);
});

test('sandboxes of a trial count once, by their median', (t) => {
  const all = measured(() => [call(1, 1, 0), call(1, 100, 1), call(1, 3, 2)]);
  const { measures = [] } = summarise(run, plan, all);
  t.is(measures[0]?.median, 3);
  t.is(measures[0]?.n, 7);
});

test('what failed, and what measured nothing, adds no line', (t) => {
  const all = measured((trial) => (trial === 0 ? [call(1, 9e9)] : [call(1, 5)]));
  const failure = { code: 'FUNCTION_CRASHED', message: 'it ended' } as const;
  const oneFailed = all.map((result) =>
    result.trialId === plan.trials[0]?.trialId
      ? { ...result, status: 'failed' as const, failure }
      : result,
  );
  const { measures = [] } = summarise(run, plan, oneFailed);
  t.is(measures[0]?.max, 5);
  t.is(measures[0]?.n, 6);
  t.false('measures' in summarise(run, plan, results));
});

test('the first call is the time of the cell', (t) => {
  const all = measured((trial) => [call(1, 2_000_000 + trial), call(2, 5)]);
  t.is(summarise(run, plan, all).cells[0]?.latency?.medianNs, 2_000_003);
});

test('intervals and cycles are repetitions within a trial, other labels tell apart', (t) => {
  t.deepEqual(summarisedLabels({ interval: '3', cycle: '2', rate: '10', connections: '4' }), {
    connections: '4',
    rate: '10',
  });
});

test('the table shows units that people read', (t) => {
  const all = measured(() => [
    { measure: 'call.duration', value: 1_500_000, labels: { call: '1' } },
    { measure: 'memory.pss', value: 3 * 2 ** 20, labels: { sandboxes: '2' } },
    { measure: 'load.request_rate', value: 12_345.6, labels: { connections: '8' } },
  ]);
  const text = measureLines(summarise(run, plan, all).measures ?? []).join('\n');
  t.regex(text, /call\.duration +call=first +7 +1\.500 .* ms\n/);
  t.regex(text, /memory\.pss +sandboxes=2 +7 +3\.000 .* MiB\n/);
  t.regex(text, /load\.request_rate +connections=8 +7 +12346 .* requests\/s$/);
});
