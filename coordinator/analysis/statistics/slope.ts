import type { Interval } from '../run-summary.ts';
import { normalQuantile } from './normal.ts';
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

/**
 * The Theil-Sen slope, the median over the slopes of all pairs, with the interval of P. K. Sen
 * ("Estimates of the regression coefficient based on Kendall's tau", JASA 63, 1968): between the
 * slopes whose ranks Kendall's statistic allows. It suits memory over time: a few jumps do not move
 * it.
 *
 * @returns undefined if all x are equal.
 */
export function theilSenSlope(points: readonly SlopePoint[], coverage = 0.95): Slope | undefined {
  const slopes: number[] = [];
  for (const [index, first] of points.entries()) {
    for (const second of points.slice(index + 1)) {
      if (second.x !== first.x) slopes.push((second.y - first.y) / (second.x - first.x));
    }
  }
  if (slopes.length === 0) return undefined;
  slopes.sort((left, right) => left - right);
  const slope = sortedQuantile(slopes, 0.5);
  const size = points.length;
  if (size < POINTS_MIN) return { slope };
  const deviation = Math.sqrt((size * (size - 1) * (2 * size + 5)) / 18);
  const width = normalQuantile(1 - (1 - coverage) / 2) * deviation;
  const lower = slopes[Math.max(0, Math.floor((slopes.length - width) / 2) - 1)];
  const upper = slopes[Math.min(slopes.length - 1, Math.ceil((slopes.length + width) / 2))];
  if (lower === undefined || upper === undefined) return { slope };
  return { slope, interval: { lower, upper, coverage } };
}
