import test from 'ava';
import { effectSize } from '../../../../coordinator/analysis/statistics/effect-size.ts';
import { FastRandom } from '../../../../coordinator/analysis/statistics/fast-random.ts';
import { rankSumTest } from '../../../../coordinator/analysis/statistics/rank-sum-test.ts';

// Hollander & Wolfe, "Nonparametric Statistical Methods", 1973, p. 69: permeability constants of
// the human chorioamnion. R's wilcox.test gives W = 35 and p = 0.2544 for the two-sided test.
const AT_TERM = [0.8, 0.83, 1.89, 1.04, 1.45, 1.38, 1.91, 1.64, 0.73, 1.46];
const AT_12_WEEKS = [1.15, 0.88, 0.9, 0.74, 1.21];

test('rankSumTest gives the exact p value of a published example', (t) => {
  t.is(rankSumTest(AT_TERM, AT_12_WEEKS)?.toFixed(4), '0.2544');
  t.is(rankSumTest(AT_12_WEEKS, AT_TERM)?.toFixed(4), '0.2544');
});

test('rankSumTest gives the smallest possible p value to samples that do not overlap', (t) => {
  // 2 of the 70 ways to place four of eight ranks are as extreme.
  t.is(rankSumTest([1, 2, 3, 4], [5, 6, 7, 8])?.toFixed(6), (2 / 70).toFixed(6));
});

/** The share of random divisions of all values that are at least as far from even. */
function permutationP(first: readonly number[], second: readonly number[]): number {
  const random = new FastRandom(1);
  const pooled = [...first, ...second];
  const distance = (half: readonly number[], other: readonly number[]): number =>
    Math.abs((effectSize(half, other)?.a12 ?? 0) - 0.5);
  const seen = distance(first, second) - 1e-12;
  let extreme = 0;
  for (let round = 0; round < 20_000; round += 1) {
    for (let last = pooled.length - 1; last > 0; last -= 1) {
      const chosen = random.nextBelow(last + 1);
      [pooled[last], pooled[chosen]] = [pooled[chosen]!, pooled[last]!];
    }
    if (distance(pooled.slice(0, first.length), pooled.slice(first.length)) >= seen) extreme += 1;
  }
  return extreme / 20_000;
}

for (const size of [25, 26]) {
  const how = size === 25 ? 'exact' : 'approximate';
  test(`rankSumTest agrees with permutations where it is ${how}`, (t) => {
    const first = Array.from({ length: size }, (_, index) => index * 2);
    const second = Array.from({ length: 25 }, (_, index) => index * 2 + 9);
    const found = rankSumTest(first, second) ?? Number.NaN;
    t.true(Math.abs(found - permutationP(first, second)) < 0.008, String(found));
  });
}

test('rankSumTest takes ties', (t) => {
  t.is(rankSumTest([1, 1, 1], [1, 1, 1]), 1);
  const first = Array.from({ length: 30 }, (_, index) => index % 5);
  const second = Array.from({ length: 30 }, (_, index) => 1 + (index % 5));
  const found = rankSumTest(first, second) ?? Number.NaN;
  t.true(Math.abs(found - permutationP(first, second)) < 0.008, String(found));
});

test('rankSumTest says nothing about an empty sample', (t) => {
  t.is(rankSumTest([], [1]), undefined);
});
