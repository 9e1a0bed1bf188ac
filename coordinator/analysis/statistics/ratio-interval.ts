import type { Interval } from '../run-summary.ts';
import type { BootstrapOptions } from './bootstrap.ts';
import { BOOTSTRAP_VALUES_MIN } from './bootstrap.ts';
import { FastRandom } from './fast-random.ts';
import type { Groups } from './groups.ts';
import { medianInPlace, sortedQuantile } from './sorted-quantile.ts';

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
  const [before, after] = [filled(first), filled(second)];
  const base = medianInPlace(Float64Array.from(before.flat()));
  const other = medianInPlace(Float64Array.from(after.flat()));
  if (!(base > 0) || Number.isNaN(other)) return undefined;
  const ratio = other / base;
  if (Math.min(before.flat().length, after.flat().length) < BOOTSTRAP_VALUES_MIN) return { ratio };
  const random = new FastRandom(seed);
  const replicates = new Float64Array(resamples);
  for (let index = 0; index < resamples; index += 1) {
    replicates[index] = medianOfDraw(after, random) / medianOfDraw(before, random);
  }
  replicates.sort();
  const tail = (1 - coverage) / 2;
  return {
    ratio,
    interval: {
      lower: sortedQuantile(replicates, tail),
      upper: sortedQuantile(replicates, 1 - tail),
      coverage,
    },
  };
}

function filled(groups: Groups): Groups {
  return groups.filter((group) => group.length > 0);
}

function medianOfDraw(groups: Groups, random: FastRandom): number {
  const values: number[] = [];
  for (let place = 0; place < groups.length; place += 1) {
    // One group is not drawn: there is no other that it could have been.
    const chosen = groups.length === 1 ? 0 : random.nextBelow(groups.length);
    const group = groups[chosen] ?? [];
    for (let index = 0; index < group.length; index += 1) {
      values.push(group[random.nextBelow(group.length)] ?? Number.NaN);
    }
  }
  return medianInPlace(Float64Array.from(values));
}
