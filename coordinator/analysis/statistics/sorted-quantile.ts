/**
 * The quantile, type 7 of Hyndman & Fan (1996), of values that are in ascending order already.
 *
 * @param probability 0 to 1
 * @returns NaN for no values
 */
export function sortedQuantile(sorted: ArrayLike<number>, probability: number): number {
  const place = (sorted.length - 1) * probability;
  const below = sorted[Math.floor(place)] ?? Number.NaN;
  const above = sorted[Math.ceil(place)] ?? Number.NaN;
  return below + (above - below) * (place - Math.floor(place));
}

/** The median of a sample, which is sorted by it. */
export function medianInPlace(sample: Float64Array): number {
  return sortedQuantile(sample.sort(), 0.5);
}
