import assert from 'node:assert/strict';
import test from 'ava';
import fc from 'fast-check';
import { FastRandom } from '../../../../coordinator/analysis/statistics/fast-random.ts';
import { normalQuantile } from '../../../../coordinator/analysis/statistics/normal.ts';
import { quantileInterval } from '../../../../coordinator/analysis/statistics/quantile-interval.ts';
import { rankSumTest } from '../../../../coordinator/analysis/statistics/rank-sum-test.ts';
import {
  coverageAtLooks,
  intervalCoverageOf,
  looksOf,
} from '../../../../coordinator/analysis/statistics/sequential.ts';

const equallySpaced = (count: number): number[] =>
  Array.from({ length: count }, (_, index) => index + 1);
const until = (looks?: number[]) => ({
  halfWidthPercent: 5,
  of: 'median' as const,
  ...(looks === undefined ? {} : { looks }),
});

test('coverageAtLooks gives the nominal levels that Pocock 1977 published', (t) => {
  const published = [
    [2, 0.0294],
    [3, 0.0221],
    [4, 0.0182],
    [5, 0.0158],
    [10, 0.0106],
  ] as const;
  for (const [count, level] of published) {
    const found = 1 - coverageAtLooks(equallySpaced(count));
    t.true(Math.abs(found - level) <= 0.00005 + 1e-6, `${count} looks: ${found}`);
  }
});

test('coverageAtLooks of one look is 95 %, and only the spacing of several counts', (t) => {
  t.is(coverageAtLooks([7]), 0.95);
  const [small, large] = [coverageAtLooks([1, 2, 4]), coverageAtLooks([100, 200, 400])];
  t.true(Math.abs(small - large) < 1e-9);
});

test('coverageAtLooks lies between that of one look and Bonferroni for any looks', (t) => {
  fc.assert(
    fc.property(
      fc.uniqueArray(fc.integer({ min: 1, max: 500 }), { minLength: 2, maxLength: 6 }),
      (numbers) => {
        const looks = numbers.toSorted((a, b) => a - b);
        const coverage = coverageAtLooks(looks);
        assert.ok(coverage > 0.95 && coverage < 1 - 0.05 / looks.length, `${coverage}`);
        const more = coverageAtLooks([...looks, 2 * (looks.at(-1) ?? 0)]);
        assert.ok(more > coverage, 'another look costs some');
      },
    ),
    { numRuns: 60, seed: 4 },
  );
  t.pass();
});

test('coverageAtLooks refuses looks that do not ascend', (t) => {
  for (const looks of [[], [0, 1], [5, 5], [10, 5]]) {
    t.throws(() => coverageAtLooks(looks), { instanceOf: RangeError });
  }
});

test('means of normal values stay within the corrected intervals at all looks in 95 %', (t) => {
  const looks = [5, 10, 20, 40];
  const boundary = normalQuantile((1 + coverageAtLooks(looks)) / 2);
  const random = new FastRandom(11);
  const runs = 40_000;
  let crossed = 0;
  for (let run = 0; run < runs; run += 1) {
    let sum = 0;
    let isOut = false;
    for (let value = 1; value <= 40; value += 1) {
      sum += random.nextNormal();
      if (looks.includes(value)) isOut ||= Math.abs(sum) > boundary * Math.sqrt(value);
    }
    if (isOut) crossed += 1;
  }
  // Three standard errors of a rate of 5 % in 40,000 runs.
  t.true(Math.abs(crossed / runs - 0.05) < 0.0033, `${crossed / runs}`);
});

test('equal cells are told apart by at most 5.5 % of runs, looked at four times', (t) => {
  const looks = [10, 20, 40, 80];
  const coverage = coverageAtLooks(looks);
  const random = new FastRandom(12);
  const runs = 1500;
  const claimed = { intervals: 0, ranks: 0, uncorrected: 0 };
  for (let run = 0; run < runs; run += 1) {
    const [first, second] = [0, 1].map(() =>
      Array.from({ length: 80 }, () => Math.exp(0.5 * random.nextNormal())),
    );
    const seen = looks.map((size) => claimsOf(first!.slice(0, size), second!.slice(0, size)));
    if (seen.some(({ p }) => p <= 1 - coverage)) claimed.ranks += 1;
    if (seen.some(({ p }) => p <= 0.05)) claimed.uncorrected += 1;
    if (seen.some(({ areApart }) => areApart)) claimed.intervals += 1;
  }
  t.true(claimed.ranks / runs <= 0.055 + 0.011, `${claimed.ranks / runs}`);
  t.true(claimed.intervals / runs <= 0.01, `${claimed.intervals / runs}`);
  t.true(claimed.uncorrected / runs > 0.1, 'without the correction it is far more');

  function claimsOf(first: number[], second: number[]): { p: number; areApart: boolean } {
    const [one, other] = [first, second].map((values) => quantileInterval(values, 0.5, coverage)!);
    const areApart = one!.upper < other!.lower || other!.upper < one!.lower;
    return { p: rankSumTest(first, second)!, areApart };
  }
});

test('looksOf takes the looks of the file, and the maximum as the last', (t) => {
  t.deepEqual(looksOf({ repetitions: 40, until: until([5, 10]) }), [5, 10, 40]);
  t.deepEqual(looksOf({ repetitions: 40, until: until([5, 40]) }), [5, 40]);
  t.deepEqual(looksOf({ repetitions: 8, until: until([5, 10, 40]) }), [5, 8]);
});

test('looksOf without looks halves the maximum, at most three times and not below 10', (t) => {
  t.deepEqual(looksOf({ repetitions: 1000, until: until() }), [125, 250, 500, 1000]);
  t.deepEqual(looksOf({ repetitions: 45, until: until() }), [12, 23, 45]);
  t.deepEqual(looksOf({ repetitions: 12, until: until() }), [12]);
});

test('intervals cover 95 % unless the length of the run depends on its values', (t) => {
  t.is(intervalCoverageOf({ repetitions: 40 }), 0.95);
  t.is(intervalCoverageOf({ repetitions: 9, until: until() }), 0.95);
  const timed = { of: 'median' as const, timeLimitMinutes: 5 };
  t.is(intervalCoverageOf({ repetitions: 40, until: timed }), 0.95);
  const looked = intervalCoverageOf({ repetitions: 80, until: until([10, 20, 40]) });
  t.is(looked.toFixed(4), '0.9840');
});
