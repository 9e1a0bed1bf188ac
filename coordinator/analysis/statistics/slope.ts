import type { Interval } from '../run-summary.ts';
import { normalQuantile } from './normal.ts';
import { quickMedian } from './quick-median.ts';
import { sortedQuantile } from './sorted-quantile.ts';

/** A point of a series. */
export interface SlopePoint {
  readonly x: number;
  readonly y: number;
}

/** A robust slope with its interval. */
export interface Slope {
  readonly slope: number;
  /** Absent with fewer than 5 points of different x. */
  readonly interval?: Interval;
}

const POINTS_MIN = 5;

/** Points beyond this are thinned: the slopes of all pairs would be too many. */
const POINTS_MAX = 1000;

/**
 * The Theil-Sen slope, the median over the slopes of all pairs, with the interval of P. K. Sen
 * ("Estimates of the regression coefficient based on Kendall's tau", JASA 63, 1968): between the
 * slopes whose ranks Kendall's statistic allows. It suits memory over time: a few jumps do not move
 * it. More than 1000 points are replaced by the medians of as many runs of neighbours, which are
 * points of the same line with less noise.
 *
 * @returns undefined if all x are equal.
 */
export function theilSenSlope(points: readonly SlopePoint[], coverage = 0.95): Slope | undefined {
  const used = points.length > POINTS_MAX ? thin(points) : points;
  const size = used.length;
  const slopes = new Float64Array((size * (size - 1)) / 2);
  let count = 0;
  for (const [index, first] of used.entries()) {
    for (let place = index + 1; place < size; place += 1) {
      const second = used[place];
      if (second === undefined || second.x === first.x) continue;
      slopes[count] = (second.y - first.y) / (second.x - first.x);
      count += 1;
    }
  }
  if (count === 0) return undefined;
  const sorted = slopes.subarray(0, count).sort();
  const slope = sortedQuantile(sorted, 0.5);
  if (size < POINTS_MIN) return { slope };
  const place = Math.min(slopesOutside(size, (1 - coverage) / 2), (count - 1) >>> 1);
  const [lower, upper] = [sorted[place], sorted[count - 1 - place]];
  if (lower === undefined || upper === undefined) return { slope };
  return { slope, interval: { lower, upper, coverage } };
}

/** Points up to which Kendall's distribution is the exact one. */
const EXACT_POINTS_MAX = 40;

/** How many slopes on each side of the interval lie outside: Kendall's statistic allows no more. */
function slopesOutside(size: number, tail: number): number {
  const pairs = (size * (size - 1)) / 2;
  if (size > EXACT_POINTS_MAX) {
    const deviation = Math.sqrt((size * (size - 1) * (2 * size + 5)) / 18);
    return Math.max(0, Math.floor((pairs - normalQuantile(1 - tail) * deviation) / 2));
  }
  // The chance of each number of inversions, built up value by value.
  let chances: readonly number[] = [1];
  for (let values = 2; values <= size; values += 1) {
    const before = chances;
    let window = 0;
    chances = Array.from({ length: before.length + values - 1 }, (_, inversions) => {
      window += (before[inversions] ?? 0) - (before[inversions - values] ?? 0);
      return window / values;
    });
  }
  let outside = 0;
  for (let sum = chances[0] ?? 1; sum <= tail; sum += chances[outside] ?? 1) outside += 1;
  return Math.max(0, outside - 1);
}

function thin(points: readonly SlopePoint[]): SlopePoint[] {
  const sorted = points.toSorted((left, right) => left.x - right.x);
  return Array.from({ length: POINTS_MAX }, (_, block) => {
    const begin = Math.floor((block * sorted.length) / POINTS_MAX);
    const end = Math.floor(((block + 1) * sorted.length) / POINTS_MAX);
    const own = sorted.slice(begin, end);
    return { x: quickMedian(own.map(({ x }) => x)), y: quickMedian(own.map(({ y }) => y)) };
  });
}
