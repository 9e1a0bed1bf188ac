/**
 * At most about `most` of the values, in their order: of each run of neighbours the smallest and
 * the largest stay, so that nothing extreme is hidden.
 *
 * @param most 2 or more
 */
export function thinned<T>(
  values: readonly T[],
  most: number,
  sizeOf: (value: T) => number,
): readonly T[] {
  if (values.length <= most) return values;
  const stride = Math.ceil(values.length / Math.max(1, Math.floor(most / 2)));
  const kept: T[] = [];
  for (let begin = 0; begin < values.length; begin += stride) {
    let least = begin;
    let greatest = begin;
    for (let place = begin; place < Math.min(values.length, begin + stride); place += 1) {
      const size = sizeAt(values, place, sizeOf);
      if (size < sizeAt(values, least, sizeOf)) least = place;
      if (size > sizeAt(values, greatest, sizeOf)) greatest = place;
    }
    for (const place of new Set([least, greatest].toSorted((a, b) => a - b))) {
      const value = values[place];
      if (value !== undefined) kept.push(value);
    }
  }
  return kept;
}

function sizeAt<T>(values: readonly T[], place: number, sizeOf: (value: T) => number): number {
  const value = values[place];
  return value === undefined ? Number.NaN : sizeOf(value);
}
