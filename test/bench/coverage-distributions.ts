import type { FastRandom } from '../../coordinator/analysis/statistics/fast-random.ts';
import { medianInPlace } from '../../coordinator/analysis/statistics/sorted-quantile.ts';
import { FastRandom as Random } from '../../coordinator/analysis/statistics/fast-random.ts';

/** A distribution whose quantiles are known. */
export interface Distribution {
  readonly name: string;
  readonly median: number;
  readonly p95: number;
  draw(random: FastRandom): number;
}

const Z_95 = 1.644_853_626_951_472_2;
// The 2/3 and the 80 % quantile of the standard normal distribution.
const Z_TWO_THIRDS = 0.430_727_299_295_457_5;
const Z_80 = 0.841_621_233_572_914_2;

/** One start in four takes half as long again, as a cold cache makes it. */
const BIMODAL_SHARE = 0.25;

/** The data that every interval is tried on. */
export const DISTRIBUTIONS: readonly Distribution[] = [
  {
    name: 'normal',
    median: 100,
    p95: 100 + 10 * Z_95,
    draw: (random) => 100 + 10 * random.nextNormal(),
  },
  {
    name: 'log-normal',
    median: 100,
    p95: 100 * Math.exp(0.5 * Z_95),
    draw: (random) => 100 * Math.exp(0.5 * random.nextNormal()),
  },
  {
    name: 'bimodal',
    // The 2/3 quantile of the lower mode, and the 80 % quantile of the upper one.
    median: 100 + 5 * Z_TWO_THIRDS,
    p95: 150 + 5 * Z_80,
    draw: (random) => (random.next() < BIMODAL_SHARE ? 150 : 100) + 5 * random.nextNormal(),
  },
];

/** How much devices differ, and sessions of one device: standard deviation of the logarithm. */
export const DEVICE_SPREAD = 0.1;
export const SESSION_SPREAD = 0.05;

const POPULATION = 400_000;

/** The median over all values that all devices could give, from a large sample. */
export function pooledMedian(data: Distribution, spread: number, seed: number): number {
  const random = new Random(seed);
  return medianInPlace(
    Float64Array.from(
      { length: POPULATION },
      () => Math.exp(spread * random.nextNormal()) * data.draw(random),
    ),
  );
}
