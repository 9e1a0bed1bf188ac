import test from 'ava';
import { meanInterval } from '../../../coordinator/analysis/mean-interval.ts';
import { randomNumbers } from '../../support/run-fixture.ts';

test('meanInterval is the mean between the ends of a bootstrap interval', (t) => {
  const random = randomNumbers(3);
  const values = Float64Array.from({ length: 400 }, () => random());
  const { mean, lower, upper } = meanInterval(values, 1)!;
  // Of a uniform sample: mean 1/2, and a half width of 1.96 sqrt(1/12/400) = 0.0283.
  t.true(Math.abs(mean - 0.5) < 0.05);
  t.true(Math.abs((upper! - lower!) / 2 - 0.0283) < 0.003);
  t.true(lower! < mean && mean < upper!);
});

test('meanInterval of many values is the normal one, and that of the bootstrap to its noise', (t) => {
  const random = randomNumbers(4);
  const values = Float64Array.from({ length: 2001 }, () => -Math.log(1 - random()));
  const normal = meanInterval(values, 1)!;
  const bootstrap = meanInterval(values.subarray(0, 2000), 1)!;
  t.true(Math.abs(normal.lower! - bootstrap.lower!) < 0.01);
  t.true(Math.abs(normal.upper! - bootstrap.upper!) < 0.01);
});

test('meanInterval of one value has no ends, and of none is absent', (t) => {
  t.deepEqual(meanInterval(Float64Array.of(3), 1), { mean: 3 });
  t.is(meanInterval(new Float64Array(0), 1), undefined);
});
