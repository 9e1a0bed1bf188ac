import test from 'ava';
import { compareWithItself } from '../../../coordinator/analysis/self-comparison.ts';
import type { RunSummary } from '../../../coordinator/analysis/run-summary.ts';
import { FastRandom } from '../../../coordinator/analysis/statistics/fast-random.ts';
import { summarise } from '../../../coordinator/analysis/summary.ts';
import { makeRun } from '../../support/run-fixture.ts';

const OPTIONS = { margin: 0.05, seed: 1 };
const FIXTURE = makeRun({ repetitions: 30, agentsPerHost: [1], sandboxes: ['process', 'runc'] });
const SUMMARY = summarise(FIXTURE.run, FIXTURE.plan, FIXTURE.results);

function withValues(value: (position: number) => number): RunSummary {
  return {
    ...SUMMARY,
    cells: SUMMARY.cells.map((cell) => ({
      ...cell,
      units: cell.units.map((unit) => ({ ...unit, valueNs: value(unit.position ?? 0) })),
    })),
  };
}

test('a run that does not change rarely distinguishes itself from itself', (t) => {
  let alarms = 0;
  for (let seed = 1; seed <= 200; seed += 1) {
    const random = new FastRandom(seed);
    const { distinguished } = compareWithItself(
      withValues(() => 1e7 * Math.exp(0.3 * random.nextNormal())),
      OPTIONS,
    );
    if (distinguished.length > 0) alarms += 1;
  }
  // At most 5 % of 200; more than 20 would come once in 1000 such tests.
  t.true(alarms <= 20, String(alarms));
});

test('a run that drifts is told by its halves, and not by odd and even', (t) => {
  const random = new FastRandom(3);
  const { distinguished, halves } = compareWithItself(
    withValues((position) => (1e7 + 2e5 * position) * Math.exp(0.1 * random.nextNormal())),
    OPTIONS,
  );
  t.is(distinguished.length, SUMMARY.cells.length);
  t.deepEqual(new Set(distinguished.map(({ split }) => split)), new Set(['first-second']));
  const counts = halves.flatMap(({ comparison }) => comparison.cells.map(({ n }) => n.join(' ')));
  t.deepEqual(new Set(counts), new Set(['15 15']));
});

test('a run whose values alternate is told by odd and even, and not by its halves', (t) => {
  const random = new FastRandom(4);
  const cells = withValues(() => 1e7 * Math.exp(0.1 * random.nextNormal())).cells.map((cell) => ({
    ...cell,
    units: cell.units.map((unit, index) => ({
      ...unit,
      valueNs: unit.valueNs * (1 + (index % 2)),
    })),
  }));
  const { distinguished, halves } = compareWithItself({ ...SUMMARY, cells }, OPTIONS);
  t.deepEqual(new Set(distinguished.map(({ split }) => split)), new Set(['odd-even']));
  t.true(halves[0]!.comparison.cells.every(({ ratio }) => (ratio?.ratio ?? 0) > 1.8));
});

test('a run too short for any difference says so', (t) => {
  const { run, plan, results } = makeRun({ repetitions: 4, agentsPerHost: [1] });
  const summary = summarise(run, plan, results);
  const { untestable, distinguished } = compareWithItself(summary, OPTIONS);
  t.is(untestable.length, summary.cells.length);
  t.deepEqual(distinguished, []);
  t.deepEqual(compareWithItself(SUMMARY, OPTIONS).untestable, []);
});
