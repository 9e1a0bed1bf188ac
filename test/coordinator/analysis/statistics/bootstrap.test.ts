import test from 'ava';
import { bcaInterval } from '../../../../coordinator/analysis/statistics/bootstrap.ts';
import { FastRandom } from '../../../../coordinator/analysis/statistics/fast-random.ts';
import { hierarchicalInterval } from '../../../../coordinator/analysis/statistics/groups.ts';
import { medianRatio } from '../../../../coordinator/analysis/statistics/ratio-interval.ts';
import { medianInPlace } from '../../../../coordinator/analysis/statistics/sorted-quantile.ts';

const mean = (sample: Float64Array): number =>
  sample.reduce((sum, value) => sum + value, 0) / sample.length;

function normals(random: FastRandom, count: number, centre = 0): number[] {
  return Array.from({ length: count }, () => centre + random.nextNormal());
}

test('the same seed gives the same interval, another one nearly the same', (t) => {
  const values = normals(new FastRandom(1), 40, 10);
  const first = bcaInterval(values, mean, { seed: 7 });
  t.deepEqual(bcaInterval(values, mean, { seed: 7 }), first);
  const other = bcaInterval(values, mean, { seed: 8 });
  t.notDeepEqual(other, first);
  t.true(Math.abs((other?.lower ?? 0) - (first?.lower ?? 9)) < 0.1);
});

test('the BCa interval of the mean of normal values agrees with that of Student', (t) => {
  const values = normals(new FastRandom(3), 200, 5);
  const centre = mean(Float64Array.from(values));
  const variance = values.reduce((sum, value) => sum + (value - centre) ** 2, 0) / 199;
  // The 97.5 % quantile of Student's t with 199 degrees of freedom.
  const half = 1.972 * Math.sqrt(variance / 200);
  const found = bcaInterval(values, mean, { seed: 1, resamples: 20_000 });
  t.true(Math.abs((found?.lower ?? 0) - (centre - half)) < half * 0.06, JSON.stringify(found));
  t.true(Math.abs((found?.upper ?? 0) - (centre + half)) < half * 0.06, JSON.stringify(found));
});

test('an interval follows its sample through an increasing transformation', (t) => {
  const values = normals(new FastRandom(4), 31);
  const plain = bcaInterval(values, medianInPlace, { seed: 2 });
  const raised = bcaInterval(
    values.map((value) => Math.exp(value)),
    medianInPlace,
    { seed: 2 },
  );
  // The middle of 31 values is one of them, so the transformation is exact but for interpolation.
  t.true(Math.abs(Math.log(raised?.lower ?? 0) - (plain?.lower ?? 9)) < 0.05);
  t.true(Math.abs(Math.log(raised?.upper ?? 0) - (plain?.upper ?? 9)) < 0.05);
});

test('too few values, or values that are all alike, have no interval', (t) => {
  t.is(bcaInterval([1, 2, 3, 4], mean, { seed: 1 }), undefined);
  t.is(bcaInterval([2, 2, 2, 2, 2, 2], mean, { seed: 1 }), undefined);
  t.is(hierarchicalInterval([[1, 2, 3]], { seed: 1 }), undefined);
});

test('devices that differ make the interval of the fleet wider than pooling would', (t) => {
  const random = new FastRandom(9);
  const groups = [0, 5, 10, 15].map((centre) => normals(random, 30, centre));
  const byDevice = hierarchicalInterval(groups, { seed: 1 });
  const pooled = bcaInterval(groups.flat(), medianInPlace, { seed: 1 });
  const width = (one: { lower: number; upper: number } | undefined): number =>
    (one?.upper ?? 0) - (one?.lower ?? 0);
  t.true(width(byDevice) > 1.5 * width(pooled));
});

test('medianRatio divides the second median by the first, and its interval holds the truth', (t) => {
  const random = new FastRandom(5);
  const first = normals(random, 60, 100);
  const second = normals(random, 60, 150);
  const found = medianRatio([first], [second], { seed: 1 });
  t.true(Math.abs((found?.ratio ?? 0) - 1.5) < 0.02);
  t.true((found?.interval?.lower ?? 9) < 1.5 && (found?.interval?.upper ?? 0) > 1.5);
  t.is(medianRatio([[1, 2]], [[4, 6]], { seed: 1 })?.interval, undefined);
  t.is(medianRatio([[0]], [[4]], { seed: 1 }), undefined);
});
