import test from 'ava';
import { TELEMETRY_COLUMNS } from './telemetry/rows.ts';
import { measureTelemetry } from './telemetry.ts';

const SIZE = { rounds: 1, seconds: 0.25, warmUpSeconds: 0.1, pairs: 6, workMs: 40 };

test('telemetry: every row is there, and a sample of ours is cheaper than others', async (t) => {
  const { columns, rows, notes } = await measureTelemetry(
    {
      log: (line) => {
        t.log(line);
      },
    },
    new AbortController().signal,
    SIZE,
  );
  t.deepEqual(columns, TELEMETRY_COLUMNS);
  t.true(rows.every(({ length }) => length === columns.length));
  const found = rows.map((row) => new Map(columns.map((column, at) => [column, row[at]])));
  const of = (measured: string) => found.filter((row) => row.get('measured') === measured);
  const costs = of('cost');
  t.deepEqual(
    costs.map((row) => [row.get('what'), row.get('rateHz')]),
    [10, 100, 1000].flatMap((rateHz) => [
      ['lockstep', rateHz],
      ['lockstep without limits', rateHz],
    ]),
  );
  const needed = ['files', 'cpuPercent', 'cpuUsPerSample', 'achievedHz', 'onTimePercent'];
  for (const row of costs) t.true(needed.every((column) => Number(row.get(column)) > 0));
  const peers = of('peer');
  const [first] = peers;
  t.regex(String(first?.get('what')), /^systeminformation/);
  const dearest = Math.max(...costs.map((row) => Number(row.get('cpuUsPerSample'))));
  t.true(Number(first?.get('cpuUsPerSample')) > dearest);
  // What could not be measured is told.
  for (const peer of ['node-exporter', 'Docker']) {
    const isRow = peers.some((row) => String(row.get('what')).includes(peer));
    t.true(isRow || notes.some((note) => note.includes(`${peer} `)), peer);
  }
  const effects = of('effect');
  t.true(effects.length === 4 || notes.some((note) => note.startsWith('no effect')));
  for (const row of effects) {
    const [lower, ratio, upper] = ['ratioLower', 'ratio', 'ratioUpper'].map((column) =>
      Number(row.get(column)),
    );
    // On a machine that is too busy, pairs are left out, and too few have no interval.
    if (Number.isNaN(lower)) continue;
    t.true(lower! >= 0 && lower! <= ratio! && ratio! <= upper!, `${lower} ${ratio} ${upper}`);
  }
});
