/**
 * The median of values in any order, type 7, in linear time (C. A. R. Hoare, "Algorithm 65: find",
 * CACM 4(7), 1961). The values are put into another order by it.
 *
 * @returns NaN for no values
 */
export function quickMedian(values: number[] | Float64Array): number {
  const size = values.length;
  if (size === 0) return Number.NaN;
  const upper = size >>> 1;
  select(values, upper);
  const above = values[upper] ?? Number.NaN;
  if (size % 2 === 1) return above;
  let below = values[0] ?? Number.NaN;
  for (let index = 1; index < upper; index += 1) {
    const value = values[index] ?? Number.NaN;
    if (value > below) below = value;
  }
  return (below + above) / 2;
}

/** Puts the value of a rank, from 0, to its place: none before it is larger, none after smaller. */
function select(values: number[] | Float64Array, rank: number): void {
  let low = 0;
  let high = values.length - 1;
  while (low < high) {
    const pivot = values[rank] ?? Number.NaN;
    let left = low;
    let right = high;
    while (left <= right) {
      while ((values[left] ?? pivot) < pivot) left += 1;
      while ((values[right] ?? pivot) > pivot) right -= 1;
      if (left > right) break;
      const swapped = values[left] ?? Number.NaN;
      values[left] = values[right] ?? Number.NaN;
      values[right] = swapped;
      left += 1;
      right -= 1;
    }
    if (right < rank) low = left;
    if (rank < left) high = right;
  }
}
