import test from 'ava';
import { planPower } from '../../../coordinator/analysis/power-plan.ts';
import type { CellPower, PowerPlan } from '../../../coordinator/analysis/power-plan.ts';
import type { Unit } from '../../../coordinator/analysis/run-summary.ts';
import { FastRandom } from '../../../coordinator/analysis/statistics/fast-random.ts';

const CELLS = ['a', 'b', 'c'];
const DETECT = { detectPercent: 5 };

function unitsOf(values: readonly number[], hosts = 1): Unit[] {
  return values.map((valueNs, index) => ({
    trialId: `t${index}`,
    attempt: 1,
    host: `host-${(index % hosts) + 1}`,
    devices: 1,
    valueNs,
  }));
}

function normals(count: number, spread: number): number[] {
  const random = new FastRandom(7);
  return Array.from({ length: count }, () => 1e6 * (100 + spread * random.nextNormal()));
}

const PILOT = new Map([
  ['a', unitsOf(normals(60, 5))],
  ['b', unitsOf(normals(60, 20))],
]);

const cellOf = ({ cells }: PowerPlan, cellId: string): CellPower =>
  cells.find((cell) => cell.cellId === cellId)!;

test('planPower asks for more repetitions of a cell that varies more', (t) => {
  const plan = planPower({ repetitions: 40 }, CELLS, PILOT, DETECT);
  const [a, b] = [cellOf(plan, 'a'), cellOf(plan, 'b')];
  t.true((b.spreadPercent ?? 0) > 3 * (a.spreadPercent ?? 99));
  for (const [index, repetitions] of a.repetitionsForPercent.entries()) {
    t.true((b.repetitionsForPercent[index] ?? 0) >= (repetitions ?? Infinity));
  }
  t.true((b.repetitionsToDetect[0] ?? 0) > 8 * (a.repetitionsToDetect[0] ?? Infinity));
  t.true((b.detectablePercent ?? 0) > 3 * (a.detectablePercent ?? Infinity));
  t.true((a.repetitionsToDetect[1] ?? 0) > (a.repetitionsToDetect[0] ?? Infinity), 'more power');
});

test('planPower has every cell of the experiment, also those that the pilot lacks', (t) => {
  const plan = planPower({ repetitions: 40 }, CELLS, PILOT, DETECT);
  t.deepEqual(cellOf(plan, 'c'), {
    cellId: 'c',
    n: 0,
    hosts: 1,
    repetitionsForPercent: [null, null, null, null],
    detectablePercent: null,
    repetitionsToDetect: [null, null],
  });
});

test('planPower divides the level among all pairs of cells, or as many as are named', (t) => {
  const level = (comparisons?: number): number =>
    planPower({ repetitions: 40 }, CELLS, PILOT, { ...DETECT, comparisons }).level;
  t.true(Math.abs(level() - 0.05 / 3) < 1e-12);
  t.true(Math.abs(level(10) - 0.005) < 1e-12);
  t.true(Math.abs(planPower({ repetitions: 1 }, ['a'], PILOT, DETECT).level - 0.05) < 1e-12);
});

test('planPower corrects interval and level for the looks of the experiment', (t) => {
  const until = { of: 'median' as const, halfWidthPercent: 5, looks: [10, 20, 40] };
  const looked = planPower({ repetitions: 80, until }, CELLS, PILOT, DETECT);
  const plain = planPower({ repetitions: 80 }, CELLS, PILOT, DETECT);
  t.is(looked.coverage.toFixed(3), '0.984');
  const need = (plan: PowerPlan): number => cellOf(plan, 'b').repetitionsForPercent[2] ?? NaN;
  t.true(need(looked) > 1.3 * need(plain));
  t.true(
    (cellOf(looked, 'b').detectablePercent ?? 0) > (cellOf(plain, 'b').detectablePercent ?? 9),
  );
});

test('planPower shares the values out among the hosts, and takes their number from the pilot', (t) => {
  const need = (hosts: number | undefined, pilotHosts: number): CellPower =>
    planPower({ repetitions: 40 }, ['a'], new Map([['a', unitsOf(normals(60, 20), pilotHosts)]]), {
      ...DETECT,
      hosts,
    }).cells[0]!;
  const [one, four] = [need(undefined, 1), need(undefined, 4)];
  t.is(four.hosts, 4);
  const [alone = 0, shared = 0] = [one, four].map((cell) => cell.repetitionsForPercent[1] ?? 0);
  t.is(shared, Math.ceil(alone / 4));
  t.deepEqual(need(4, 1).repetitionsForPercent, four.repetitionsForPercent);
});

test('planPower plans for the 95th percentile where the experiment asks for it', (t) => {
  const until = { of: 'p95' as const, halfWidthPercent: 5, looks: [40] };
  const pilot = new Map([['a', unitsOf(normals(400, 20))]]);
  const { statistic, cells } = planPower({ repetitions: 40, until }, ['a'], pilot, DETECT);
  t.is(statistic, 'p95');
  t.true((cells[0]?.estimateNs ?? 0) > 120e6);
  t.true((cells[0]?.repetitionsForPercent[3] ?? 0) > 70, 'fewer have no such interval');
});

test('planPower says nothing of values that are too few or not above 0', (t) => {
  for (const values of [
    [1, 2, 3, 4],
    [-3, -2, 1, 2, 3, 4],
  ]) {
    const plan = planPower({ repetitions: 9 }, ['a'], new Map([['a', unitsOf(values)]]), DETECT);
    t.is(plan.cells[0]?.estimateNs, undefined);
    t.is(plan.cells[0]?.n, values.length);
  }
});
