import type { Interval } from '../run-summary.ts';
import { FastRandom } from './fast-random.ts';
import { drawMedians } from './median-draws.ts';
import { normalCdf, normalQuantile } from './normal.ts';
import { sortedQuantile } from './sorted-quantile.ts';
import { COVERAGE } from './coverage.ts';

/** How a bootstrap is done. */
export interface BootstrapOptions {
  /** Same seed, same interval. */
  readonly seed: number;
  readonly coverage?: number;
  /** Resamples; 2000 give an interval's end to about 2 % of its width. */
  readonly resamples?: number;
}

/** A figure of a sample. It may sort the sample that it is given. */
export type Statistic = (sample: Float64Array) => number;

/** Fewest values for an interval: with fewer, resamples hardly differ. */
export const BOOTSTRAP_VALUES_MIN = 5;

const RESAMPLES = 2000;

/**
 * The bias-corrected and accelerated bootstrap interval (B. Efron, "Better bootstrap confidence
 * intervals", JASA 82, 1987; acceleration by the jackknife, Efron & Tibshirani 1993, chapter 14).
 *
 * @returns undefined for fewer than 5 values, or if all resamples give one value: then the sample
 * says nothing about its own error.
 */
export function bcaInterval(
  values: readonly number[],
  statistic: Statistic,
  options: BootstrapOptions,
): Interval | undefined {
  if (values.length < BOOTSTRAP_VALUES_MIN) return undefined;
  const { coverage = COVERAGE, resamples = RESAMPLES } = options;
  const sample = Float64Array.from(values);
  const estimate = statistic(sample.slice());
  const replicates = resample(sample, statistic, { seed: options.seed, resamples });
  const acceleration = accelerationOf(leaveOneOut(sample, statistic));
  return correctedInterval(replicates, { estimate, acceleration, coverage });
}

/**
 * The same for the median, in time that hardly grows with the sample: medians of resamples are
 * drawn from their own distribution, and the jackknife of a median knows three values at most.
 */
export function bcaMedianInterval(
  values: ArrayLike<number>,
  options: BootstrapOptions,
): Interval | undefined {
  if (values.length < BOOTSTRAP_VALUES_MIN) return undefined;
  const { coverage = COVERAGE, resamples = RESAMPLES, seed } = options;
  const sorted = Float64Array.from(values).sort();
  const replicates = drawMedians(sorted, resamples, new FastRandom(seed)).sort();
  const estimate = sortedQuantile(sorted, 0.5);
  const acceleration = medianAcceleration(sorted);
  return correctedInterval(replicates, { estimate, acceleration, coverage });
}

interface Correction {
  readonly estimate: number;
  readonly acceleration: number;
  readonly coverage: number;
}

function correctedInterval(
  replicates: Float64Array,
  { estimate, acceleration, coverage }: Correction,
): Interval | undefined {
  const lowest = replicates[0] ?? Number.NaN;
  const highest = replicates.at(-1) ?? Number.NaN;
  if (!(lowest < highest)) return undefined;
  // Ties count half, without which the median of few values would look biased.
  const below = replicates.reduce(
    (count, value) => count + (value < estimate ? 1 : value === estimate ? 0.5 : 0),
    0,
  );
  const size = replicates.length;
  const bias = normalQuantile(Math.min(Math.max(below, 0.5), size - 0.5) / size);
  const end = (probability: number): number => {
    const z = bias + normalQuantile(probability);
    return sortedQuantile(replicates, normalCdf(bias + z / (1 - acceleration * z)));
  };
  const tail = (1 - coverage) / 2;
  return { lower: end(tail), upper: end(1 - tail), coverage };
}

/** The statistic of resamples with replacement, in ascending order. */
export function resample(
  sample: Float64Array,
  statistic: Statistic,
  { seed, resamples }: { seed: number; resamples: number },
): Float64Array {
  const random = new FastRandom(seed);
  const drawn = new Float64Array(sample.length);
  const replicates = new Float64Array(resamples);
  for (let index = 0; index < resamples; index += 1) {
    for (let place = 0; place < drawn.length; place += 1) {
      drawn[place] = sample[random.nextBelow(sample.length)] ?? Number.NaN;
    }
    replicates[index] = statistic(drawn);
  }
  return replicates.sort();
}

function leaveOneOut(sample: Float64Array, statistic: Statistic): Float64Array {
  const left = new Float64Array(sample.length - 1);
  return sample.map((_, omitted) => {
    for (let place = 0; place < left.length; place += 1) {
      left[place] = sample[place < omitted ? place : place + 1] ?? Number.NaN;
    }
    return statistic(left);
  });
}

/** Leaving out a value below, in or above the middle gives the same as any other there. */
function medianAcceleration(sorted: Float64Array): number {
  const half = sorted.length >>> 1;
  // Of an even number there are two such values, equally often: nothing is skewed.
  if (sorted.length % 2 === 0) return 0;
  const [below = 0, middle = 0, above = 0] = sorted.subarray(half - 1, half + 2);
  const estimates = new Float64Array(sorted.length).fill((middle + above) / 2, 0, half);
  estimates[half] = (below + above) / 2;
  return accelerationOf(estimates.fill((below + middle) / 2, half + 1));
}

function accelerationOf(estimates: Float64Array): number {
  const mean = estimates.reduce((sum, value) => sum + value, 0) / estimates.length;
  let squares = 0;
  let cubes = 0;
  for (const value of estimates) {
    const distance = mean - value;
    squares += distance ** 2;
    cubes += distance ** 3;
  }
  return squares === 0 ? 0 : cubes / (6 * squares ** 1.5);
}
