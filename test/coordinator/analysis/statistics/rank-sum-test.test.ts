import test from 'ava';
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

test('rankSumTest of large samples is near the exact one, and ties do not break it', (t) => {
  const first = Array.from({ length: 30 }, (_, index) => index * 2);
  const second = Array.from({ length: 30 }, (_, index) => index * 2 + 9);
  const approximate = rankSumTest(first, second) ?? Number.NaN;
  const exact = rankSumTest(first.slice(0, 25), second.slice(0, 25)) ?? Number.NaN;
  t.true(approximate > 0 && approximate < exact);
  t.is(rankSumTest([1, 1, 1], [1, 1, 1]), 1);
});

test('rankSumTest says nothing about an empty sample', (t) => {
  t.is(rankSumTest([], [1]), undefined);
});
