import assert from 'node:assert/strict';
import test from 'ava';
import fc from 'fast-check';
import { effectSize } from '../../../../coordinator/analysis/statistics/effect-size.ts';

const samples = fc.array(fc.integer({ min: -20, max: 20 }), { minLength: 1, maxLength: 40 });

test('effectSize counts pairs as its definition says', (t) => {
  fc.assert(
    fc.property(samples, samples, (first, second) => {
      let wins = 0;
      for (const a of first) for (const b of second) wins += b > a ? 1 : b === a ? 0.5 : 0;
      const found = effectSize(first, second);
      assert.ok(Math.abs((found?.a12 ?? -1) - wins / first.length / second.length) < 1e-12);
      assert.ok(Math.abs((found?.cliffsDelta ?? -9) - (2 * (found?.a12 ?? 0) - 1)) < 1e-12);
    }),
  );
  t.pass();
});

test('effectSize names its size by the usual limits', (t) => {
  t.is(effectSize([1, 2, 3], [1, 2, 3])?.size, 'negligible');
  t.is(effectSize([1, 2, 3], [4, 5, 6])?.size, 'large');
  t.is(effectSize([1, 2, 3], [4, 5, 6])?.a12, 1);
  t.is(effectSize([], [1]), undefined);
});
