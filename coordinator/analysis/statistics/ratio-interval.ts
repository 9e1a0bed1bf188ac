import type { Interval } from '../run-summary.ts';
import type { BootstrapOptions } from './bootstrap.ts';
import { BOOTSTRAP_VALUES_MIN } from './bootstrap.ts';
import { FastRandom } from './fast-random.ts';
import { drawGroups, filledGroups, percentileInterval } from './groups.ts';
import type { Groups } from './groups.ts';
import { medianInPlace } from './sorted-quantile.ts';

/** A ratio of two medians with its interval. */
export interface MedianRatio {
  readonly ratio: number;
  /** Absent with fewer than 5 values on a side. */
  readonly interval?: Interval;
}

const RESAMPLES = 4000;
const COVERAGE = 0.95;

/**
 * The median of the second sample divided by that of the first, with a percentile bootstrap
 * interval: both are drawn anew, each for itself; where a sample has several groups, groups first
 * and then values within them.
 *
 * @param first values in groups that are independent of each other, one per host
 * @returns undefined if a sample is empty or the first median is not positive.
 */
export function medianRatio(
  first: Groups,
  second: Groups,
  { seed, coverage = COVERAGE, resamples = RESAMPLES }: BootstrapOptions,
): MedianRatio | undefined {
  const [before, after] = [filledGroups(first), filledGroups(second)];
  const base = medianInPlace(Float64Array.from(before.flat()));
  const other = medianInPlace(Float64Array.from(after.flat()));
  if (!(base > 0) || Number.isNaN(other)) return undefined;
  const ratio = other / base;
  if (Math.min(before.flat().length, after.flat().length) < BOOTSTRAP_VALUES_MIN) return { ratio };
  const random = new FastRandom(seed);
  const replicates = new Float64Array(resamples);
  for (let index = 0; index < resamples; index += 1) {
    const otherDrawn = medianInPlace(drawGroups(after, random));
    replicates[index] = otherDrawn / medianInPlace(drawGroups(before, random));
  }
  return { ratio, interval: percentileInterval(replicates, coverage) };
}
