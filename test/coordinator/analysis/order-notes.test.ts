import test from 'ava';
import { distributionNotes } from '../../../coordinator/analysis/distribution-notes.ts';
import { orderNotes } from '../../../coordinator/analysis/order-notes.ts';
import type { CellSummary, RunSummary } from '../../../coordinator/analysis/run-summary.ts';
import { FastRandom } from '../../../coordinator/analysis/statistics/fast-random.ts';
import { summarise } from '../../../coordinator/analysis/summary.ts';
import { valueFlags } from '../../../coordinator/analysis/value-flags.ts';
import { makeRun } from '../../support/run-fixture.ts';

const FIXTURE = makeRun({
  repetitions: 60,
  agentsPerHost: [1, 1],
  sandboxes: ['process', 'runc', 'gvisor'],
  functions: ['hello-go'],
});
const SUMMARY = summarise(FIXTURE.run, FIXTURE.plan, FIXTURE.results);
const CELL_AT = new Map(FIXTURE.plan.trials.map(({ position, cell }) => [position, cell.id]));

/** The run with other values: of a cell, at a place in the run, on a host. */
function withValues(
  value: (cell: CellSummary, position: number, host: string) => number,
): Pick<RunSummary, 'cells' | 'metric'> {
  return {
    metric: SUMMARY.metric,
    cells: SUMMARY.cells.map((cell) => ({
      ...cell,
      units: cell.units.map((unit) => ({
        ...unit,
        valueNs: value(cell, unit.position ?? 0, unit.host),
      })),
    })),
  };
}

/** Log-normal values; the second host is slower by a half. */
function noise(seed: number): (cell: CellSummary, position: number, host: string) => number {
  const random = new FastRandom(seed);
  return (_cell, _position, host) =>
    (host === 'host-2' ? 1.5e7 : 1e7) * Math.exp(0.3 * random.nextNormal());
}

function codes(summary: Pick<RunSummary, 'cells' | 'metric'>): string[] {
  return orderNotes(summary, FIXTURE.plan).map(({ code }) => code);
}

test('where order plays no part there is hardly ever a note on order, outliers or modes', (t) => {
  const seen = new Map<string, number>();
  for (let seed = 1; seed <= 200; seed += 1) {
    const summary = withValues(noise(seed));
    const notes = [...orderNotes(summary, FIXTURE.plan), ...distributionNotes(summary)];
    for (const { code } of notes) seen.set(code, (seen.get(code) ?? 0) + 1);
  }
  const found = JSON.stringify([...seen]);
  // 1 % of 200 runs is 2 for each kind; order effects are two kinds. 8 would be one in 1000.
  for (const code of ['drift', 'autocorrelation', 'several-modes']) {
    t.true((seen.get(code) ?? 0) < 8, found);
  }
  t.true((seen.get('order-effect') ?? 0) < 12, found);
  // Three cells of 120 values each.
  t.true((seen.get('outliers') ?? 0) < 8, found);
});

test('a cell that is slower after another one is told, with the one that it follows', (t) => {
  const plain = noise(1);
  const summary = withValues((cell, position, host) => {
    const isAfter = CELL_AT.get(position - 1) === 'gvisor/hello-go/1';
    return plain(cell, position, host) * (isAfter && cell.cell.id.startsWith('process') ? 1.5 : 1);
  });
  const notes = orderNotes(summary, FIXTURE.plan).filter(({ code }) => code === 'order-effect');
  const note = notes.find(({ message }) => message.includes('the cell before it'));
  t.regex(note?.message ?? '', /^process\/hello-go\/1 depends on .*most with gvisor\/hello-go\/1/);
});

test('a cell that is slower at the beginning of each repetition is told', (t) => {
  const plain = noise(2);
  const firsts = new Set(
    FIXTURE.plan.trials
      .filter(({ position, repetition }) => position === 3 * repetition)
      .map(({ position }) => position),
  );
  const summary = withValues(
    (cell, position, host) => plain(cell, position, host) * (firsts.has(position) ? 1.6 : 1),
  );
  const notes = orderNotes(summary, FIXTURE.plan);
  t.true(
    notes.some(({ message }) => /its place within the repetition.*most with first/.test(message)),
  );
});

test('a slow wave through the run is told as dependent values, a rise as a drift', (t) => {
  const plain = noise(3);
  const wave = withValues(
    (cell, position, host) => plain(cell, position, host) * Math.exp(Math.sin(position / 12)),
  );
  const note = orderNotes(wave, FIXTURE.plan).find(({ code }) => code === 'autocorrelation');
  t.regex(note?.message ?? '', /60 trials tell as much as about \d+ independent ones/);
  const rise = withValues(
    (cell, position, host) => plain(cell, position, host) * (1 + position / 100),
  );
  t.true(codes(rise).includes('drift'));
});

test('hosts of different speed are neither modes nor outliers, two groups on one host are', (t) => {
  const twoSpeeds = noise(4);
  t.false(distributionNotes(withValues(twoSpeeds)).some(({ code }) => code === 'several-modes'));
  const random = new FastRandom(5);
  const grouped = withValues(
    () => (random.next() < 0.3 ? 15e6 : 10e6) * Math.exp(0.03 * random.nextNormal()),
  );
  const note = distributionNotes(grouped).find(({ code }) => code === 'several-modes');
  t.regex(note?.message ?? '', /\d\d % around 10\.\d ms, \d\d % around 15\.\d ms/);
  t.is(note?.level, 'warning');
});

test('valueFlags name the trial and the host of a value that is far out on its host', (t) => {
  const plain = noise(6);
  const cell = withValues((one, position, host) =>
    position === 30 && host === 'host-1' ? 1e9 : plain(one, position, host),
  ).cells.find(({ units }) => units.some(({ position }) => position === 30));
  const flags = valueFlags(cell?.units ?? []);
  t.deepEqual(flags, [
    {
      kind: 'far-out',
      trialId: 't0030',
      attempt: 1,
      position: 30,
      host: 'host-1',
      valueNs: 1e9,
    },
  ]);
});
