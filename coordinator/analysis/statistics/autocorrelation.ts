import { rankCorrelation } from '../rank-correlation.ts';
import { normalCdf } from './normal.ts';

/** How far each value of a series follows the one before it. */
export interface Autocorrelation {
  /** Rank correlation of each value with the next, -1 to 1. */
  readonly lag1: number;
  /** Chance of such a correlation, on either side, if values are independent. */
  readonly pValue: number;
  /** How many independent values say as much about the median; at most as many as there are. */
  readonly effectiveSize: number;
}

/** Fewer values make no series. */
const VALUES_MIN = 10;

/**
 * The rank autocorrelation at lag 1 of a series (A. Wald, J. Wolfowitz, "An exact test for
 * randomness in the non-parametric case based on serial correlation", Ann. Math. Stat. 14, 1943,
 * by its normal approximation with mean -1/n). The effective size supposes that correlation falls
 * off by the same factor with each step (G. Bayley, J. Hammersley, "The 'effective' number of
 * independent observations in an autocorrelated time series", JRSS Suppl. 8, 1946).
 *
 * @param series in the order of time
 * @returns undefined for fewer than 10 values, or if they are all alike
 */
export function autocorrelation(series: readonly number[]): Autocorrelation | undefined {
  const size = series.length;
  if (size < VALUES_MIN) return undefined;
  const lag1 = rankCorrelation(
    series.slice(1).map((value, index): [number, number] => [series[index] ?? 0, value]),
  );
  if (lag1 === undefined) return undefined;
  const pValue = 2 * normalCdf(-Math.abs(lag1 + 1 / size) * Math.sqrt(size - 1));
  const shrink = lag1 > 0 ? (1 - lag1) / (1 + lag1) : 1;
  return { lag1, pValue: Math.min(1, pValue), effectiveSize: Math.max(1, size * shrink) };
}
