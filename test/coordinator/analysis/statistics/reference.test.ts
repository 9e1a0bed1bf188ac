/**
 * Values of others: published ones, or those of scipy 1.17.1 with numpy 2.4.6 and statsmodels
 * 0.15.0, as each line says. Intervals by resampling agree to 3 digits of their ends, the rest to
 * all digits that are printed.
 */
import test from 'ava';
import type { ExecutionContext } from 'ava';
import type { Interval } from '../../../../coordinator/analysis/run-summary.ts';
import {
  bcaInterval,
  bcaMedianInterval,
} from '../../../../coordinator/analysis/statistics/bootstrap.ts';
import { effectSize } from '../../../../coordinator/analysis/statistics/effect-size.ts';
import { hierarchicalInterval } from '../../../../coordinator/analysis/statistics/groups.ts';
import { locationInterval } from '../../../../coordinator/analysis/statistics/location-interval.ts';
import { holmAdjust } from '../../../../coordinator/analysis/statistics/multiple-comparisons.ts';
import { proportionDifference } from '../../../../coordinator/analysis/statistics/proportions.ts';
import { quantileInterval } from '../../../../coordinator/analysis/statistics/quantile-interval.ts';
import {
  medianRatio,
  pairedMedianRatio,
} from '../../../../coordinator/analysis/statistics/ratio-interval.ts';
import { theilSenSlope } from '../../../../coordinator/analysis/statistics/slope.ts';
import { chiSquareTail } from '../../../../coordinator/analysis/statistics/special-functions.ts';
import {
  studentCdf,
  studentQuantile,
} from '../../../../coordinator/analysis/statistics/student.ts';
import { rankCorrelation } from '../../../../coordinator/analysis/rank-correlation.ts';
import { wilsonInterval } from '../../../../coordinator/analysis/wilson-interval.ts';

function near(
  t: ExecutionContext,
  found: Interval | undefined,
  [lower, upper]: readonly [number, number],
  relative = 1e-9,
): void {
  const isNear = (value: number, expected: number): boolean =>
    Math.abs(value - expected) <= relative * Math.max(Math.abs(expected), 1e-3);
  t.true(found !== undefined && isNear(found.lower, lower), JSON.stringify(found));
  t.true(found !== undefined && isNear(found.upper, upper), JSON.stringify(found));
}

/** B. Efron, R. Tibshirani, "An Introduction to the Bootstrap", 1993, table 3.1: 15 law schools. */
const LAW_LSAT = [576, 635, 558, 578, 666, 580, 555, 661, 651, 605, 653, 575, 545, 572, 594];
const LAW_GPA = [
  3.39, 3.3, 2.81, 3.03, 3.44, 3.07, 3, 3.43, 3.36, 3.13, 3.12, 2.74, 2.76, 2.88, 2.96,
];

test('bcaInterval of the mean of the law schools agrees with scipy.stats.bootstrap', (t) => {
  const mean = (sample: Float64Array) => sample.reduce((sum, value) => sum + value, 0) / 15;
  // scipy: method BCa, a million resamples.
  const options = { seed: 1, resamples: 200_000 };
  near(t, bcaInterval(LAW_LSAT, mean, options), [581.467, 622.4], 5e-4);
  near(t, bcaInterval(LAW_LSAT, mean, { ...options, coverage: 0.9 }), [584.267, 618.733], 5e-4);
});

test('bcaInterval of the correlation of the law schools agrees with scipy.stats.bootstrap', (t) => {
  // Indices are drawn, as pairs must stay together. scipy: BCa, 100,000 resamples, paired.
  const correlation = (places: Float64Array): number => {
    const [x, y] = [LAW_LSAT, LAW_GPA].map((all) => [...places].map((place) => all[place]!));
    const mean = (all: number[]) => all.reduce((sum, value) => sum + value, 0) / all.length;
    const [mx, my] = [mean(x!), mean(y!)];
    let [xy, xx, yy] = [0, 0, 0];
    x!.forEach((value, index) => {
      xy += (value - mx) * (y![index]! - my);
      xx += (value - mx) ** 2;
      yy += (y![index]! - my) ** 2;
    });
    return xy / Math.sqrt(xx * yy);
  };
  const places = LAW_LSAT.map((_, index) => index);
  t.is(correlation(Float64Array.from(places)).toFixed(3), '0.776');
  const found = bcaInterval(places, correlation, { seed: 3, resamples: 100_000, coverage: 0.9 });
  near(t, found, [0.433, 0.9273], 6e-3);
});

test('bcaMedianInterval draws medians as whole resamples would give them', (t) => {
  const curve = Array.from({ length: 41 }, (_, index) => 100 + index ** 1.5);
  for (const values of [LAW_LSAT, LAW_LSAT.slice(1), curve, curve.slice(1)]) {
    const median = (sample: Float64Array) => {
      const sorted = sample.sort();
      const half = sorted.length >>> 1;
      return sorted.length % 2 === 1 ? sorted[half]! : (sorted[half - 1]! + sorted[half]!) / 2;
    };
    const plain = bcaInterval(values, median, { seed: 5, resamples: 60_000 });
    const quick = bcaMedianInterval(values, { seed: 6, resamples: 60_000 });
    near(t, quick, [plain?.lower ?? 0, plain?.upper ?? 0], 1e-2);
  }
});

test('quantileInterval has the ranks of scipy.stats.quantile_test', (t) => {
  const values = Array.from({ length: 100 }, (_, index) => index + 1);
  near(t, quantileInterval(values, 0.25), [17, 35]);
  near(t, quantileInterval(values, 0.5), [40, 61]);
  near(t, quantileInterval(values, 0.9), [84, 96]);
  near(t, quantileInterval(values, 0.95), [90, 100]);
});

test('theilSenSlope agrees with scipy.stats.theilslopes, and its ranks are the exact ones', (t) => {
  const y = [2.9, 2.99, 3.11, 3.27, 3.62, 3.48, 3.9, 4.2, 4.05, 4.4, 4.9, 4.7, 5.2, 5.1, 5.6];
  const found = theilSenSlope(y.map((value, index) => ({ x: index + 1, y: value })));
  t.is(found?.slope.toFixed(9), (0.19166666666666668).toFixed(9));
  // Hollander & Wolfe, 9.3: M = (N - C) / 2, where C + 2 is the least k with P(K >= k) <= 2.5 %.
  const slopes = y
    .flatMap((a, i) => y.slice(i + 1).map((b, j) => (b - a) / (j + 1)))
    .sort((a, b) => a - b);
  const rank = (105 - (kendallCritical(15) - 2)) / 2;
  t.is(rank, 33);
  near(t, found?.interval, [slopes[rank - 1]!, slopes[105 - rank]!]);
});

/** The least k of the parity of K with P(K >= k) <= 2.5 %, from all orders of n values. */
function kendallCritical(n: number): number {
  let counts = [1];
  for (let size = 2; size <= n; size += 1) {
    const next = Array.from({ length: counts.length + size - 1 }, () => 0);
    for (const [inversions, count] of counts.entries()) {
      for (let more = 0; more < size; more += 1) next[inversions + more]! += count;
    }
    counts = next;
  }
  const total = counts.reduce((sum, count) => sum + count, 0);
  let tail = 0;
  let inversions = 0;
  while (tail + counts[inversions]! <= 0.025 * total) tail += counts[inversions++]!;
  return (n * (n - 1)) / 2 - 2 * (inversions - 1);
}

for (const n of [5, 8, 10, 12, 20, 30, 40]) {
  test(`theilSenSlope of ${n} points has the ranks of Kendall's exact distribution`, (t) => {
    const points = Array.from({ length: n }, (_, x) => ({ x, y: Math.exp(x / 9) + (x % 3) }));
    const slopes = points
      .flatMap((a, i) => points.slice(i + 1).map((b) => (b.y - a.y) / (b.x - a.x)))
      .sort((a, b) => a - b);
    const rank = (slopes.length - (kendallCritical(n) - 2)) / 2;
    const expected = [slopes[rank - 1]!, slopes[slopes.length - rank]!] as const;
    near(t, theilSenSlope(points)?.interval, expected);
  });
}

test('theilSenSlope has the slope of a published example', (t) => {
  // M. Hollander, D. Wolfe, "Nonparametric Statistical Methods", 1973, table 9.1: cloud seeding.
  const y = [1.26, 1.27, 1.12, 1.16, 1.03];
  const found = theilSenSlope(y.map((value, index) => ({ x: index + 1, y: value })));
  t.is(found?.slope.toFixed(5), '-0.05625');
  // scipy's theilslopes.
  near(t, found?.interval, [-0.15, 0.04]);
});

/** Events and tries of both sides, and method 10 in table II of Newcombe 1998, first - second. */
const NEWCOMBE: readonly (readonly [number, number, number, number, number, number])[] = [
  [56, 70, 48, 80, 0.0524, 0.3339],
  [9, 10, 3, 10, 0.1705, 0.809],
  [6, 7, 2, 7, 0.0582, 0.8062],
  [5, 56, 0, 29, -0.0381, 0.1926],
  [0, 10, 0, 20, -0.1611, 0.2775],
  [0, 10, 0, 10, -0.2775, 0.2775],
  [10, 10, 0, 20, 0.6791, 1],
  [10, 10, 0, 10, 0.6075, 1],
];

for (const [events, n, others, ofOthers, lower, upper] of NEWCOMBE) {
  test(`proportionDifference of ${events}/${n} and ${others}/${ofOthers} is as published`, (t) => {
    const first = { events: others, n: ofOthers };
    const interval = proportionDifference(first, { events, n })?.interval;
    t.is(interval?.lower.toFixed(4), lower.toFixed(4));
    t.is(interval?.upper.toFixed(4), upper.toFixed(4));
  });
}

test('proportionDifference is absent where a side has no tries', (t) => {
  t.is(proportionDifference({ events: 0, n: 0 }, { events: 1, n: 2 }), undefined);
});

test('wilsonInterval agrees with statsmodels', (t) => {
  near(t, wilsonInterval(3, 40), [0.025836025774588184, 0.1986423352431055]);
  near(t, wilsonInterval(81, 263), [0.2552885198782742, 0.36620957698280004]);
});

test('holmAdjust agrees with multipletests of statsmodels', (t) => {
  const adjusted = holmAdjust([0.0001, 0.01, 0.04, 0.03, 0.5, 0.02]);
  t.deepEqual(
    adjusted.map((value) => value.toFixed(4)),
    ['0.0006', '0.0500', '0.0900', '0.0900', '0.5000', '0.0800'],
  );
});

test('Student and chi-square agree with scipy.stats', (t) => {
  const close = (found: number, expected: number) => {
    t.true(Math.abs(found / expected - 1) < 1e-9, `${found} ${expected}`);
  };
  close(studentQuantile(0.975, 1), 12.706204736174694);
  close(studentQuantile(0.975, 2), 4.302652729749462);
  close(studentQuantile(0.975, 4.5), 2.6589123472044034);
  close(studentQuantile(0.05, 10), -1.8124611228116756);
  close(studentQuantile(0.995, 30), 2.7499956535672254);
  close(studentQuantile(0.975, 199), 1.9719565442517533);
  close(studentCdf(1.5, 3), 0.8847080673775886);
  close(studentCdf(-2.2, 7.5), 0.03059973295305805);
  close(studentCdf(10, 1), 0.9682744825694465);
  close(chiSquareTail(0.5, 1), 0.47950012218695337);
  close(chiSquareTail(7, 3), 0.07189777249646509);
  close(chiSquareTail(40, 10), 1.694474393006737e-5);
  close(chiSquareTail(2, 10), 0.9963401531726563);
  t.throws(() => studentQuantile(1, 3), { instanceOf: RangeError });
});

const BEFORE = [
  [12.1, 11.9, 12.4, 12, 12.2],
  [13, 13.3, 12.9, 13.4, 13.1],
  [11, 11.4, 11.2, 10.9, 11.3],
  [12.5, 12.7, 12.2, 12.6, 12.8],
];
const AFTER = [
  [12.6, 12.9, 12.3, 12.5, 12.4],
  [13.9, 13.5, 14.1, 13.7, 13.8],
  [11.3, 11.9, 11.5, 11.6, 11.8],
  [13.3, 13, 13.4, 13.1, 12.9],
];

/** Three devices in two sessions each. */
const THREE_LEVELS = [BEFORE.slice(0, 2), BEFORE.slice(2), AFTER.slice(0, 2)];

test("locationInterval is Student's interval of the logarithms of the medians", (t) => {
  // scipy.stats.t.interval over log(median) of each list, then exp.
  const found = locationInterval(BEFORE);
  t.is(found?.estimate.toFixed(9), (12.229573413641416).toFixed(9));
  near(t, found?.interval, [10.9929306, 13.60533158]);
});

test('locationInterval of values that are not all positive is that of Student himself', (t) => {
  // "Student", Biometrika 6, 1908: additional hours of sleep by the first drug; scipy's t.interval.
  const sleep = [0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0, 2];
  near(t, locationInterval(sleep)?.interval, [-0.5297804135262318, 2.0297804135262316]);
});

test('pairedMedianRatio agrees with scipy.stats.ttest_rel on logarithms', (t) => {
  const found = pairedMedianRatio(
    BEFORE.map((own, index) => [own, AFTER[index]!]),
    { seed: 1 },
  );
  t.is(found?.ratio.toFixed(9), (1.0404429879670254).toFixed(9));
  t.is(found?.basis, 'hosts-paired');
  near(t, found?.interval, [1.02617127, 1.0549132], 1e-8);
});

test('medianRatio of two fleets agrees with scipy.stats.ttest_ind by Welch on logarithms', (t) => {
  const found = medianRatio(BEFORE, AFTER.slice(0, 3), { seed: 1 });
  t.is(found?.ratio.toFixed(9), (1.0303965307104066).toFixed(9));
  t.is(found?.basis, 'hosts');
  near(t, found?.interval, [0.8661887263543715, 1.2257340440906137]);
});

test('rankCorrelation agrees with scipy.stats.spearmanr where there are ties', (t) => {
  const y = [2, 1, 4, 3, 7, 5, 5];
  const rho = rankCorrelation(y.map((value, index): [number, number] => [index, value]));
  t.is(rho?.toFixed(9), (0.8108437164260032).toFixed(9));
});

test('hierarchicalInterval agrees with numpy, in two and in three levels', (t) => {
  // Percentiles of 400,000 resamples, with rows, then columns, then values drawn anew.
  const options = { seed: 1, resamples: 40_000 };
  near(t, hierarchicalInterval(BEFORE, options), [11.3, 13], 1e-3);
  near(t, hierarchicalInterval(THREE_LEVELS, options), [11.4, 13.5], 1e-3);
});

test("locationInterval of three levels is Student's over the means of a device's sessions", (t) => {
  // scipy.stats.t.interval over the means of log(median).
  const found = locationInterval(THREE_LEVELS);
  t.is(found?.estimate.toFixed(9), (12.523884551700842).toFixed(9));
  near(t, found?.interval, [11.04996844, 14.19440111], 1e-8);
});

/** Hollander & Wolfe 1973, p. 69: permeability of the chorioamnion at term and at 12 weeks. */
const AT_TERM = [0.8, 0.83, 1.89, 1.04, 1.45, 1.38, 1.91, 1.64, 0.73, 1.46];
const AT_12_WEEKS = [1.15, 0.88, 0.9, 0.74, 1.21];

test('medianRatio of two hosts agrees with scipy.stats.bootstrap', (t) => {
  // Percentile method, 200,000 resamples; 41 and 30 values on two curves.
  const before = Array.from({ length: 41 }, (_, index) => 100 + index ** 1.5);
  const after = Array.from({ length: 30 }, (_, index) => 90 + index ** 1.6);
  const found = medianRatio([before], [after], { seed: 2, resamples: 200_000 });
  t.is(found?.ratio.toFixed(9), (0.8561072285637455).toFixed(9));
  t.is(found?.basis, 'trials');
  near(t, found?.interval, [0.616127, 1.188836], 2e-3);
});

test('effectSize agrees with scipy.stats.mannwhitneyu, whose U is 35 of 50 pairs', (t) => {
  t.is(effectSize(AT_TERM, AT_12_WEEKS)?.a12.toFixed(12), (15 / 50).toFixed(12));
});
