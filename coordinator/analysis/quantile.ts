import { sortedQuantile } from './statistics/sorted-quantile.ts';

/** The values in ascending order, as a new array. */
export function ascending(values: readonly number[]): number[] {
  return values.toSorted((a, b) => a - b);
}

/**
 * The quantile of values by type 7 of Hyndman & Fan, "Sample Quantiles in Statistical Packages",
 * The American Statistician 50(4), 1996: linear between the order statistics around (n-1)p.
 *
 * @param values in any order; finite
 * @param probability 0 to 1
 * @returns undefined for no values, because an absent figure is not 0
 */
export function quantile(values: readonly number[], probability: number): number | undefined {
  if (!(probability >= 0 && probability <= 1)) {
    throw new RangeError(`a probability lies between 0 and 1, not ${probability}`);
  }
  const sorted = ascending(values);
  return sorted.length === 0 ? undefined : sortedQuantile(sorted, probability);
}

/** The median: {@link quantile} at 1/2. */
export function median(values: readonly number[]): number | undefined {
  return quantile(values, 0.5);
}
