import test from 'ava';
import { planPower } from '../../../coordinator/analysis/power-plan.ts';
import { powerTable } from '../../../coordinator/cli/power-table.ts';

const UNITS = Array.from({ length: 24 }, (_, index) => ({
  trialId: `t${index}`,
  attempt: 1,
  host: 'host-1',
  devices: 1,
  valueNs: 1e6 * (100 + index),
}));
const PILOT = { runId: 'cold-1', found: 1, warnings: ['it is cancelled'] };

function tableOf(until?: { of: 'median' | 'p95'; halfWidthPercent: number; looks: number[] }) {
  const experiment = { repetitions: 40, ...(until === undefined ? {} : { until }) };
  const power = planPower(experiment, ['a', 'b'], new Map([['a', UNITS]]), { detectPercent: 5 });
  return powerTable(power, PILOT, experiment);
}

test('powerTable says by which pilot it knows, and what that lacks', (t) => {
  const text = tableOf();
  t.regex(text, /as far as run cold-1 tells; it has 1 of the 2 cells\n {2}take care: it is canc/);
});

test('powerTable has a row per cell, with dashes for what is not known', (t) => {
  const rows = tableOf().split('\n');
  const head = rows.find((row) => row.startsWith('cell'));
  t.regex(head ?? '', /hosts +n +median ms +spread +reached +±1 % .*finds +5 % at 80 %/);
  t.regex(rows.find((row) => row.startsWith('a ')) ?? '', /^a +1 +24 +111\.5 +10 % +±4\.9 %/);
  t.regex(rows.find((row) => row.startsWith('b ')) ?? '', /^b +1 +0( +-){10}$/);
});

test('powerTable names the looks and the coverage that they cost', (t) => {
  t.notRegex(tableOf(), /looked at/);
  const text = tableOf({ of: 'p95', halfWidthPercent: 5, looks: [10, 20] });
  t.regex(text, /p95 ms/);
  t.regex(text, /looked at after 10, 20, 40 repetitions, so each of its intervals covers 97\.9 %/);
});

test('powerTable fits a terminal of 120 columns', (t) => {
  const text = tableOf({ of: 'median', halfWidthPercent: 5, looks: [5, 10, 20] });
  for (const line of text.split('\n')) t.true(line.length <= 120, line);
});
