import { sortedQuantile } from './sorted-quantile.ts';

/** Values beyond these are far out. */
export interface Fences {
  readonly lower: number;
  readonly upper: number;
}

/** Fewer values have no quartiles worth the name. */
export const FENCE_VALUES_MIN = 10;

/** The far-out fences of J. Tukey, "Exploratory Data Analysis", 1977: 3 quartile ranges beyond. */
export const FENCE_QUARTILE_RANGES = 3;

/**
 * Tukey's outer fences, the wider of those of the values and those of their logarithms if all are
 * positive: latencies have a long tail to the right, and fences on the values alone would call one
 * in 150 log-normal values far out.
 *
 * @returns undefined for fewer than 10 values
 */
export function outerFences(values: ArrayLike<number>): Fences | undefined {
  if (values.length < FENCE_VALUES_MIN) return undefined;
  const sorted = Float64Array.from(values).sort();
  const plain = fencesOf(sorted);
  if (!((sorted[0] ?? 0) > 0)) return plain;
  const logarithmic = fencesOf(sorted.map(Math.log));
  return {
    lower: Math.min(plain.lower, Math.exp(logarithmic.lower)),
    upper: Math.max(plain.upper, Math.exp(logarithmic.upper)),
  };
}

function fencesOf(sorted: Float64Array): Fences {
  const [lower, upper] = [sortedQuantile(sorted, 0.25), sortedQuantile(sorted, 0.75)];
  const margin = FENCE_QUARTILE_RANGES * (upper - lower);
  return { lower: lower - margin, upper: upper + margin };
}
