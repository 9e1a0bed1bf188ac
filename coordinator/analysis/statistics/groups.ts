import type { Interval } from '../run-summary.ts';
import { FastRandom } from './fast-random.ts';
import { sortedQuantile } from './sorted-quantile.ts';

/** Values in groups that are independent of each other, such as the devices of a fleet. */
export type Groups = readonly (readonly number[])[];

/** How it is done. */
export interface HierarchicalOptions {
  readonly seed: number;
  readonly coverage?: number;
  readonly resamples?: number;
}

const RESAMPLES = 2000;
const COVERAGE = 0.95;

/**
 * An interval for a statistic of a population of groups: groups are drawn with replacement, then
 * values within each (A. Davison, D. Hinkley, "Bootstrap Methods and their Application", 1997,
 * section 3.8). Values of one group are alike, so pooling them would make the interval too narrow.
 * The interval is that of percentiles; with few groups it is too narrow still: the benchmark
 * `coverage` shows by how much.
 *
 * @param statistic of all values together; it may sort what it is given
 * @returns undefined for fewer than two groups with values: one group says nothing about others
 */
export function hierarchicalInterval(
  groups: Groups,
  statistic: (sample: Float64Array) => number,
  { seed, coverage = COVERAGE, resamples = RESAMPLES }: HierarchicalOptions,
): Interval | undefined {
  const filled = filledGroups(groups);
  if (filled.length < 2) return undefined;
  const random = new FastRandom(seed);
  const replicates = new Float64Array(resamples);
  for (let index = 0; index < resamples; index += 1) {
    replicates[index] = statistic(drawGroups(filled, random));
  }
  const interval = percentileInterval(replicates, coverage);
  return interval.lower < interval.upper ? interval : undefined;
}

/** The percentile interval of a bootstrap's replicates, which are sorted by it. */
export function percentileInterval(replicates: Float64Array, coverage: number): Interval {
  replicates.sort();
  const tail = (1 - coverage) / 2;
  return {
    lower: sortedQuantile(replicates, tail),
    upper: sortedQuantile(replicates, 1 - tail),
    coverage,
  };
}

/** The groups that have values. */
export function filledGroups(groups: Groups): Groups {
  return groups.filter((group) => group.length > 0);
}

/** A resample: groups drawn with replacement, then values within each. */
export function drawGroups(groups: Groups, random: FastRandom): Float64Array {
  const values: number[] = [];
  for (let place = 0; place < groups.length; place += 1) {
    // One group is not drawn: there is no other that it could have been.
    const chosen = groups.length === 1 ? 0 : random.nextBelow(groups.length);
    const group = groups[chosen] ?? [];
    for (let index = 0; index < group.length; index += 1) {
      values.push(group[random.nextBelow(group.length)] ?? Number.NaN);
    }
  }
  return Float64Array.from(values);
}
