import type { Interval } from '../run-summary.ts';
import { FastRandom } from './fast-random.ts';
import { quickMedian } from './quick-median.ts';
import { sortedQuantile } from './sorted-quantile.ts';
import { COVERAGE } from './coverage.ts';

/** Values in groups that are independent of each other, such as the devices of a fleet. */
export type Groups = readonly (readonly number[])[];

/**
 * Values at any depth: values of one unit, or units that have units below them. Device, session and
 * trial are `[[[1, 2], [3]], [[4, 5]]]`: two devices, the first of which was in two sessions.
 */
export type Nested = readonly number[] | readonly Nested[];

/** How it is done. */
export interface HierarchicalOptions {
  readonly seed: number;
  readonly coverage?: number;
  readonly resamples?: number;
}

const RESAMPLES = 2000;

/** Values in all that are drawn for a resample; groups are thinned to that. */
const DRAWN_MAX = 6000;

/** Fewest values that a group is thinned to. */
const THINNED_MIN = 20;

/**
 * An interval for the median of a population of units that have units below them: those of the top
 * are drawn with replacement, then those below each, then values (A. Davison, D. Hinkley,
 * "Bootstrap Methods and their Application", 1997, section 3.8). Values of one unit are alike, so
 * pooling them would make the interval too narrow. It is that of percentiles; with few units at the
 * top it is too narrow still (docs/statistics.md has the coverage), which is why what is reported
 * rests on `locationInterval`.
 *
 * @returns undefined for fewer than two units with values at the top: one says nothing about others
 */
export function hierarchicalInterval(
  nested: Nested,
  { seed, coverage = COVERAGE, resamples = RESAMPLES }: HierarchicalOptions,
): Interval | undefined {
  const filled = filledUnits(nested);
  if (filled.length < 2 || filled.every((unit) => typeof unit === 'number')) return undefined;
  const thinned = thin(filled, Math.max(THINNED_MIN, Math.floor(DRAWN_MAX / leaves(filled))));
  const random = new FastRandom(seed);
  const drawn: number[] = [];
  const replicates = new Float64Array(resamples);
  for (let index = 0; index < resamples; index += 1) {
    drawn.length = 0;
    drawInto(drawn, thinned, random);
    replicates[index] = quickMedian(drawn);
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

/** The same units without those that have no values, at any depth. */
export function filledUnits(nested: Nested): Nested {
  if (isLeaf(nested)) return nested;
  return nested.map(filledUnits).filter((unit) => unit.length > 0);
}

/** True if these are values, or nothing at all. */
export function isLeaf(nested: Nested): nested is readonly number[] {
  return typeof nested[0] !== 'object';
}

function leaves(nested: Nested): number {
  return isLeaf(nested) ? 1 : nested.reduce((sum, unit) => sum + leaves(unit), 0);
}

/**
 * Replaces many values by evenly spaced order statistics of them. Their distribution stays; that
 * fewer are drawn then makes the interval wider and never narrower, by little: what counts is how
 * much units differ.
 */
function thin(nested: Nested, most: number): Nested {
  if (!isLeaf(nested)) return nested.map((unit) => thin(unit, most));
  if (nested.length <= most) return nested;
  const sorted = Float64Array.from(nested).sort();
  return Array.from({ length: most }, (_, index) => sortedQuantile(sorted, (index + 0.5) / most));
}

function drawInto(drawn: number[], nested: Nested, random: FastRandom): void {
  const size = nested.length;
  if (isLeaf(nested)) {
    for (let place = 0; place < size; place += 1) {
      drawn.push(nested[random.nextBelow(size)] ?? Number.NaN);
    }
    return;
  }
  for (let place = 0; place < size; place += 1) {
    drawInto(drawn, nested[random.nextBelow(size)] ?? [], random);
  }
}
