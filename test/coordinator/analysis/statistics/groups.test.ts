import assert from 'node:assert/strict';
import test from 'ava';
import fc from 'fast-check';
import { FastRandom } from '../../../../coordinator/analysis/statistics/fast-random.ts';
import { hierarchicalInterval } from '../../../../coordinator/analysis/statistics/groups.ts';
import type { Nested } from '../../../../coordinator/analysis/statistics/groups.ts';
import { locationInterval } from '../../../../coordinator/analysis/statistics/location-interval.ts';
import { quickMedian } from '../../../../coordinator/analysis/statistics/quick-median.ts';

function device(random: FastRandom, sessions: number, values: number, centre: number): number[][] {
  return Array.from({ length: sessions }, () => {
    const session = centre + random.nextNormal();
    return Array.from({ length: values }, () => session + random.nextNormal());
  });
}

function width(one: { lower: number; upper: number } | undefined): number {
  return (one?.upper ?? Number.NaN) - (one?.lower ?? Number.NaN);
}

test('quickMedian is the middle of the sorted values', (t) => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: -9, max: 9 }), { minLength: 1 }), (values) => {
      const sorted = values.toSorted((left, right) => left - right);
      const half = sorted.length >>> 1;
      const plain =
        sorted.length % 2 === 1 ? sorted[half]! : (sorted[half - 1]! + sorted[half]!) / 2;
      assert.equal(quickMedian([...values]), plain);
    }),
  );
  t.is(Number.isNaN(quickMedian([])), true);
});

test('hierarchicalInterval does not take the sessions of one device for independent', (t) => {
  const random = new FastRandom(2);
  const nested = [0, 4, 8, 12, 16].map((centre) => device(random, 6, 10, 100 + centre));
  const byDevice = hierarchicalInterval(nested, { seed: 1 });
  const bySession = hierarchicalInterval(nested.flat(), { seed: 1 });
  t.true(width(byDevice) > 1.5 * width(bySession), `${width(byDevice)} ${width(bySession)}`);
  const [few, many] = [locationInterval(nested), locationInterval(nested.flat())];
  t.true(width(few?.interval) > 1.5 * width(many?.interval));
});

test('hierarchicalInterval thins large groups without a change that counts', (t) => {
  const random = new FastRandom(3);
  // Just few enough to be drawn whole, and four times as many, which are thinned.
  const groups = [98, 100, 101, 105].map((centre) =>
    Array.from({ length: 6000 }, () => centre + random.nextNormal()),
  );
  const some = groups.map((group) => group.filter((_, index) => index % 4 === 0));
  const [thinned, whole] = [groups, some].map((nested) =>
    hierarchicalInterval(nested, { seed: 4, resamples: 4000 }),
  );
  t.true(Math.abs(thinned!.lower - whole!.lower) < 0.03 * width(whole));
  t.true(Math.abs(thinned!.upper - whole!.upper) < 0.03 * width(whole));
});

test('no interval comes from one unit at the top, whatever is below it', (t) => {
  const one: Nested = [
    [
      [1, 2, 3],
      [4, 5, 6],
    ],
  ];
  t.is(hierarchicalInterval(one, { seed: 1 }), undefined);
  t.is(locationInterval(one)?.interval, undefined);
  t.is(locationInterval(one)?.units, 1);
  t.is(hierarchicalInterval([[], [1, 2, 3]], { seed: 1 }), undefined);
  t.is(hierarchicalInterval([1, 2, 3], { seed: 1 }), undefined);
  t.is(locationInterval([[], []]), undefined);
});

test('locationInterval counts units at the top, not their values', (t) => {
  const devices = [
    [10, 11, 12],
    [20, 21, 22],
    [15, 16, 17],
  ];
  const often = devices.map((own) => Array.from({ length: 50 }, () => own).flat());
  t.deepEqual(locationInterval(often), locationInterval(devices));
});

test('locationInterval holds the truth as often as it says, with three devices as with ten', (t) => {
  const random = new FastRandom(7);
  for (const devices of [3, 10]) {
    let inside = 0;
    for (let round = 0; round < 1000; round += 1) {
      const nested = Array.from({ length: devices }, () =>
        device(random, 2, 5, 100 + 2 * random.nextNormal()),
      );
      const { lower = 0, upper = 0 } = locationInterval(nested)?.interval ?? {};
      if (lower <= 100 && upper >= 100) inside += 1;
    }
    // 95 % of 1000; fewer than 925 or more than 975 would come once in 3000 such tests.
    t.true(inside > 925 && inside < 975, `${devices}: ${inside}`);
  }
});
