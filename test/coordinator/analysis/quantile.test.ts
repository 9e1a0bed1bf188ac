import assert from 'node:assert/strict';
import test from 'ava';
import fc from 'fast-check';
import { median, quantile } from '../../../coordinator/analysis/quantile.ts';

test('quantile is linear between order statistics, as type 7 has it', (t) => {
  const tenths = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10];
  // By hand: place (n-1)p = 2.25, 6.75 and 8.55 of the values 1 to 10.
  t.is(quantile(tenths, 0.25), 3.25);
  t.is(quantile(tenths, 0.75), 7.75);
  t.true(Math.abs((quantile(tenths, 0.95) ?? 0) - 9.55) < 1e-12);
  t.is(quantile([15, 20, 35, 40, 50], 0.4), 29);
});

test('quantile of one value is that value at every probability', (t) => {
  for (const probability of [0, 0.3, 1]) t.is(quantile([7], probability), 7);
});

test('quantile of no values is absent, not 0', (t) => {
  t.is(quantile([], 0.5), undefined);
  t.is(median([]), undefined);
});

test('quantile refuses what is no probability', (t) => {
  for (const probability of [-0.1, 1.1, Number.NaN]) {
    t.throws(() => quantile([1], probability), { instanceOf: RangeError });
  }
});

test('quantile does not change its input', (t) => {
  const values = [3, 1, 2];
  quantile(values, 0.5);
  t.deepEqual(values, [3, 1, 2]);
});

test('median halves its values, whatever their order', (t) => {
  fc.assert(
    fc.property(fc.array(fc.integer(), { minLength: 1, maxLength: 60 }), (values) => {
      const middle = median(values);
      assert(middle !== undefined);
      assert(values.filter((value) => value < middle).length <= values.length / 2);
      assert(values.filter((value) => value > middle).length <= values.length / 2);
      assert.equal(middle, median(values.toReversed()));
    }),
  );
  t.pass();
});
