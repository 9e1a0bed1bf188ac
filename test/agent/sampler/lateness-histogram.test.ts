import assert from 'node:assert/strict';
import test from 'ava';
import fc from 'fast-check';
import { LatenessHistogram } from '../../../agent/sampler/lateness-histogram.ts';

const Lateness = fc.oneof(
  fc.integer({ min: 0, max: 100 }),
  fc.integer({ min: 0, max: 10_000_000 }),
  fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER }),
);

test('a percentile is that of the sorted values, at most a 32nd too high', (t) => {
  fc.assert(
    fc.property(
      fc.array(Lateness, { minLength: 1, maxLength: 200 }),
      fc.double({ min: 0, max: 1, noNaN: true }),
      (values, share) => {
        const histogram = new LatenessHistogram();
        for (const value of values) histogram.add(value);
        const sorted = values.toSorted((left, right) => left - right);
        const exact = sorted[Math.max(1, Math.ceil(share * values.length)) - 1]!;
        const found = histogram.percentileNs(share);
        assert.ok(found >= exact && found <= exact * (1 + 1 / 32), `${found} for ${exact}`);
        assert.equal(histogram.maxNs, sorted.at(-1));
        assert.equal(histogram.percentileNs(1), sorted.at(-1));
      },
    ),
  );
  t.pass();
});

test('what is early is on time, and of nothing all is 0', (t) => {
  const histogram = new LatenessHistogram();
  t.deepEqual([histogram.percentileNs(0.5), histogram.maxNs], [0, 0]);
  histogram.add(-5);
  histogram.add(0.9);
  t.deepEqual([histogram.percentileNs(1), histogram.maxNs], [0, 0]);
});
