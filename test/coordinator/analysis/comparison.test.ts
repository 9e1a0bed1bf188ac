import test from 'ava';
import { compareRuns, verdictOf } from '../../../coordinator/analysis/comparison.ts';
import { summarise } from '../../../coordinator/analysis/summary.ts';
import { makeRun } from '../../support/run-fixture.ts';

const OPTIONS = { margin: 0.05, seed: 1 };

function ratioOf(lower: number, upper: number) {
  return { ratio: (lower + upper) / 2, interval: { lower, upper, coverage: 0.95 } };
}

test('verdictOf goes by where the interval lies against 1 and the margin', (t) => {
  t.is(verdictOf(ratioOf(1.1, 1.3), 0.05), 'slower');
  t.is(verdictOf(ratioOf(0.7, 0.9), 0.05), 'faster');
  t.is(verdictOf(ratioOf(0.98, 1.03), 0.05), 'same');
  t.is(verdictOf(ratioOf(1.01, 1.2), 0.05), 'slightly-slower');
  t.is(verdictOf(ratioOf(0.8, 0.99), 0.05), 'slightly-faster');
  t.is(verdictOf(ratioOf(0.9, 1.2), 0.05), 'undecided');
  t.is(verdictOf({ ratio: 1 }, 0.05), 'too-few');
  t.is(verdictOf(undefined, 0.05), 'missing');
});

function summaryOf(options: Parameters<typeof makeRun>[0]) {
  const { run, plan, results } = makeRun(options);
  return summarise(run, plan, results);
}

test('compareRuns finds a run the same as itself', (t) => {
  const one = summaryOf({ repetitions: 40, agentsPerHost: [1] });
  const { cells, warnings } = compareRuns(one, one, { ...OPTIONS, margin: 0.2 });
  t.true(cells.length > 0);
  for (const { cellId, ratio, effect, pAdjusted, verdict } of cells) {
    t.is(ratio?.ratio, 1, cellId);
    t.is(effect?.a12, 0.5, cellId);
    t.is(pAdjusted, 1, cellId);
    t.is(verdict, 'same', cellId);
  }
  t.deepEqual(warnings, []);
});

test('compareRuns sees a run whose every time is a half longer', (t) => {
  const before = summaryOf({ repetitions: 40, agentsPerHost: [1] });
  const after = {
    ...before,
    cells: before.cells.map((cell) => ({
      ...cell,
      units: cell.units.map((unit) => ({ ...unit, valueNs: unit.valueNs * 1.5 })),
    })),
  };
  for (const { cellId, ratio, verdict } of compareRuns(before, after, OPTIONS).cells) {
    t.is(ratio?.ratio.toFixed(6), '1.500000', cellId);
    t.is(verdict, 'slower', cellId);
  }
  for (const { verdict } of compareRuns(after, before, OPTIONS).cells) t.is(verdict, 'faster');
});

test('compareRuns says which cells only one run has, and that a run is not complete', (t) => {
  const before = summaryOf({ repetitions: 10, agentsPerHost: [1] });
  const [first, ...rest] = before.cells;
  const after = { ...before, state: 'cancelled' as const, cells: rest };
  const { cells, warnings } = compareRuns(before, after, OPTIONS);
  t.is(cells.find(({ cellId }) => cellId === first?.cell.id)?.verdict, 'missing');
  t.is(warnings.length, 1);
});
