import { sortedQuantile } from './statistics/sorted-quantile.ts';

/** The values in ascending order, as a new array. */
export function ascending(values: ArrayLike<number>): Float64Array {
  // Typed arrays sort by value without a comparator, ten times as fast.
  return Float64Array.from(values).sort();
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
  // Most often there are one or two: a trial on one device, or on two that share a host.
  if (values.length === 1) return values[0];
  if (values.length === 2) {
    const [first, second] = [values[0] ?? Number.NaN, values[1] ?? Number.NaN];
    const least = Math.min(first, second);
    return least + (Math.max(first, second) - least) * probability;
  }
  const sorted = ascending(values);
  return sorted.length === 0 ? undefined : sortedQuantile(sorted, probability);
}

/** The median: {@link quantile} at 1/2. */
export function median(values: readonly number[]): number | undefined {
  return quantile(values, 0.5);
}
