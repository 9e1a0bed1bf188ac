import { resample } from './statistics/bootstrap.ts';
import { percentileInterval } from './statistics/groups.ts';

/** A mean with its interval. */
export interface MeanInterval {
  readonly mean: number;
  /** Ends of the 95 % interval. Absent with fewer than 2 values. */
  readonly lower?: number;
  readonly upper?: number;
}

const RESAMPLES = 1000;

/** With more values the bootstrap of a mean can't be told from the normal interval. */
const BOOTSTRAP_SIZE_MAX = 2000;

/** The 97.5 % quantile of the normal distribution. */
const Z_95 = 1.959963984540054;

/**
 * The mean and its 95 % percentile bootstrap interval over all values, as plotting libraries draw
 * it: pooled, whatever hosts the values come from. It serves the comparison with figures of that
 * form and no claim. Beyond 2000 values it is the normal interval.
 *
 * @returns undefined without values
 */
export function meanInterval(values: Float64Array, seed: number): MeanInterval | undefined {
  if (values.length === 0) return undefined;
  const mean = meanOf(values);
  if (values.length < 2) return { mean };
  if (values.length > BOOTSTRAP_SIZE_MAX) {
    let squares = 0;
    for (const value of values) squares += (value - mean) ** 2;
    const half = Z_95 * Math.sqrt(squares / (values.length - 1) / values.length);
    return { mean, lower: mean - half, upper: mean + half };
  }
  const replicates = resample(values, meanOf, { seed, resamples: RESAMPLES });
  const { lower, upper } = percentileInterval(replicates, 0.95);
  return { mean, lower, upper };
}

function meanOf(values: Float64Array): number {
  let sum = 0;
  for (const value of values) sum += value;
  return sum / values.length;
}
