import assert from 'node:assert/strict';
import test from 'ava';
import fc from 'fast-check';
import { quantileInterval } from '../../../../coordinator/analysis/statistics/quantile-interval.ts';

const ranks = (size: number): number[] => Array.from({ length: size }, (_, index) => index + 1);

test('quantileInterval of the median is the same from below as from above', (t) => {
  fc.assert(
    fc.property(fc.integer({ min: 6, max: 400 }), (size) => {
      const interval = quantileInterval(ranks(size), 0.5);
      assert.ok(interval !== undefined);
      assert.equal(interval.lower + interval.upper, size + 1);
    }),
  );
  t.pass();
});

test('quantileInterval of the mirrored values is the mirrored interval', (t) => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 300 }), fc.integer({ min: 1, max: 9 }), (size, tenth) => {
      const below = quantileInterval(ranks(size), tenth / 10);
      const above = quantileInterval(ranks(size), 1 - tenth / 10);
      assert.equal(below === undefined, above === undefined);
      if (below === undefined || above === undefined) return;
      assert.equal(below.lower, size + 1 - above.upper);
      assert.equal(below.upper, size + 1 - above.lower);
    }),
  );
  t.pass();
});

test('quantileInterval of a 95th percentile needs 72 values to have an upper end', (t) => {
  // 0.95^n alone is under 2.5 % from n = 72 on; each tail holds half of 5 %.
  t.is(quantileInterval(ranks(71), 0.95), undefined);
  const found = quantileInterval(ranks(72), 0.95);
  t.is(found?.upper, 72);
  t.true((found?.coverage ?? 0) >= 0.95);
});
