import type { Interval } from '../run-summary.ts';
import type { BootstrapOptions } from './bootstrap.ts';
import { BOOTSTRAP_VALUES_MIN } from './bootstrap.ts';
import { FastRandom } from './fast-random.ts';
import { filledUnits, percentileInterval } from './groups.ts';
import type { Groups } from './groups.ts';
import { centreOf, leastMedian, momentsOf } from './location-interval.ts';
import { drawMedians } from './median-draws.ts';
import { studentQuantile } from './student.ts';
import { COVERAGE } from './coverage.ts';

/**
 * What an interval of a ratio rests on.
 * - `trials`: one host on each side; trials are drawn anew. It says nothing about other hosts.
 * - `hosts-paired`: the same hosts on both sides; Student's interval of the hosts' own ratios.
 * - `hosts`: several hosts on each side, not the same; Welch's interval of the hosts' medians.
 */
export type RatioBasis = 'trials' | 'hosts-paired' | 'hosts';

/** A ratio of two medians with its interval. */
export interface MedianRatio {
  /** Of the medians; of the geometric means of the hosts' medians if there are several hosts. */
  readonly ratio: number;
  /** Absent with fewer than 5 values on a side, and where one side has several hosts, one not. */
  readonly interval?: Interval;
  /** Absent without an interval. */
  readonly basis?: RatioBasis;
  /** Independent units on each side: trials, or hosts. Absent without an interval. */
  readonly units?: readonly [number, number];
}

const RESAMPLES = 4000;

/**
 * The median of the second sample divided by that of the first. With one group on each side both
 * are drawn anew, each for itself, and the interval is that of percentiles. With several groups on
 * each side only the groups count: the interval is Welch's ("The generalization of 'Student's'
 * problem", Biometrika 34, 1947) over the logarithms of their medians.
 *
 * @param first values in groups that are independent of each other, one per host
 * @returns undefined if a sample is empty or a median is not positive.
 */
export function medianRatio(
  first: Groups,
  second: Groups,
  { seed, coverage = COVERAGE, resamples = RESAMPLES }: BootstrapOptions,
): MedianRatio | undefined {
  const [before, after] = [filledUnits(first) as Groups, filledUnits(second) as Groups];
  if (before.length === 0 || after.length === 0) return undefined;
  if (!(Math.min(leastMedian(before), leastMedian(after)) > 0)) return undefined;
  const [base, other] = [logMoments(before), logMoments(after)];
  const ratio = Math.exp(other.mean - base.mean);
  const [beforeGroup = [], afterGroup = []] = [before[0], after[0]];
  if (isTooFew(before) || isTooFew(after)) return { ratio };
  if (before.length === 1 && after.length === 1) {
    const interval = resampledRatio(beforeGroup, afterGroup, { seed, coverage, resamples });
    return { ratio, interval, basis: 'trials', units: [beforeGroup.length, afterGroup.length] };
  }
  if (before.length === 1 || after.length === 1) return { ratio };
  const interval = welchInterval([base, before.length], [other, after.length], coverage);
  if (interval === undefined) return { ratio };
  return { ratio, interval, basis: 'hosts', units: [before.length, after.length] };
}

/**
 * The ratio where each host is on both sides: the geometric mean of the hosts' own ratios, with
 * Student's interval over their logarithms. How much hosts differ from each other drops out.
 *
 * @param pairs of each host its values before and after; hosts without values on a side don't count
 * @returns undefined if no host is left or a median is not positive
 */
export function pairedMedianRatio(
  pairs: readonly (readonly [readonly number[], readonly number[]])[],
  { seed, coverage = COVERAGE, resamples = RESAMPLES }: BootstrapOptions,
): MedianRatio | undefined {
  const filled = pairs.filter(([first, second]) => first.length > 0 && second.length > 0);
  const [only] = filled;
  if (only === undefined) return undefined;
  if (filled.length === 1) return medianRatio([only[0]], [only[1]], { seed, coverage, resamples });
  if (!(leastMedian(filled.flat()) > 0)) return undefined;
  const changes = filled.map(([first, second]) => centreOf(second, true) - centreOf(first, true));
  const { mean, error } = momentsOf(changes);
  const ratio = Math.exp(mean);
  const sides = [filled.map(([first]) => first), filled.map(([, second]) => second)];
  if (sides.some(isTooFew) || !(error > 0)) return { ratio };
  const half = studentQuantile((1 + coverage) / 2, filled.length - 1) * error;
  const interval = { lower: Math.exp(mean - half), upper: Math.exp(mean + half), coverage };
  return { ratio, interval, basis: 'hosts-paired', units: [filled.length, filled.length] };
}

function isTooFew(groups: Groups): boolean {
  return groups.reduce((sum, group) => sum + group.length, 0) < BOOTSTRAP_VALUES_MIN;
}

function logMoments(groups: Groups): { mean: number; error: number } {
  return momentsOf(groups.map((group) => centreOf(group, true)));
}

function resampledRatio(
  first: readonly number[],
  second: readonly number[],
  { seed, coverage, resamples }: Required<BootstrapOptions>,
): Interval {
  const random = new FastRandom(seed);
  const before = drawMedians(Float64Array.from(first).sort(), resamples, random);
  const after = drawMedians(Float64Array.from(second).sort(), resamples, random);
  return percentileInterval(
    after.map((median, index) => median / (before[index] ?? Number.NaN)),
    coverage,
  );
}

type Side = readonly [{ readonly mean: number; readonly error: number }, number];

/** Degrees of freedom by Welch and Satterthwaite. */
function welchInterval(
  [first, firstUnits]: Side,
  [second, secondUnits]: Side,
  coverage: number,
): Interval | undefined {
  const variance = first.error ** 2 + second.error ** 2;
  if (!(variance > 0)) return undefined;
  const degrees =
    variance ** 2 / (first.error ** 4 / (firstUnits - 1) + second.error ** 4 / (secondUnits - 1));
  const half = studentQuantile((1 + coverage) / 2, degrees) * Math.sqrt(variance);
  const change = second.mean - first.mean;
  return { lower: Math.exp(change - half), upper: Math.exp(change + half), coverage };
}
