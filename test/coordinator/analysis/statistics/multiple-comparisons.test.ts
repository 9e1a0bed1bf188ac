import assert from 'node:assert/strict';
import test from 'ava';
import fc from 'fast-check';
import { holmAdjust } from '../../../../coordinator/analysis/statistics/multiple-comparisons.ts';

test('holmAdjust gives what R gives as p.adjust(p, "holm")', (t) => {
  const adjusted = holmAdjust([0.01, 0.04, 0.03, 0.005]).map((value) => value.toFixed(6));
  t.deepEqual(adjusted, ['0.030000', '0.060000', '0.060000', '0.020000']);
});

test('holmAdjust never lowers a p value, keeps their order, and stays a probability', (t) => {
  fc.assert(
    fc.property(fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 30 }), (p) => {
      const adjusted = holmAdjust(p);
      p.forEach((value, index) => {
        assert.ok((adjusted[index] ?? -1) >= value && (adjusted[index] ?? 2) <= 1);
        p.forEach((other, place) => {
          if (value < other) assert.ok((adjusted[index] ?? 2) <= (adjusted[place] ?? -1));
        });
      });
    }),
  );
  t.pass();
});
