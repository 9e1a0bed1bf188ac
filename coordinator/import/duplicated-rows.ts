import { quantile } from '../analysis/quantile.ts';

/** Which rows of a cell repeat others. */
export interface Duplication {
  /** Indices of the rows that repeat an earlier one, ascending. */
  readonly repeated: readonly number[];
  /** Whether the rows repeat as sequences, or only as values too alike for chance. */
  readonly by: 'sequence' | 'values';
}

/** Sequences that chance would repeat once in so many files are taken as pasted. */
const CHANCE_MAX = 1e-9;
/** Fewer rows tell neither. */
const ROWS_MIN = 10;
/** A sequence of fewer different values may be a pattern, and no copy. */
const DISTINCT_MIN = 4;
/** Steps around a value in which the density counts as even. */
const NEIGHBOURS = 3;
/** So many times more equal pairs than near ones point at copies. */
const EXCESS_MIN = 4;
/** Share of equal pairs to rows below which they are not worth a word. */
const SHARE_MIN = 0.1;

/**
 * Finds rows that repeat others, as when a file was added to itself.
 *
 * First by sequences: a window of rows that is so long that chance would hardly give it twice, and
 * stands in the cell twice. Then, where the order was lost, by pairs: in data of a smooth
 * distribution on a grid, equal values are about as frequent as values that differ by one step.
 * Copies make equal pairs more frequent, by the number of copies and more.
 *
 * @param values of one cell, whole numbers, in the order of the file
 * @param step the largest number that all values of the source are multiples of
 * @returns undefined if nothing points at copies
 */
export function findDuplication(values: readonly number[], step: number): Duplication | undefined {
  if (values.length < ROWS_MIN || step <= 0) return undefined;
  const repeated = repeatedSequences(values);
  if (repeated.length > 0) return { repeated, by: 'sequence' };
  return hasTooManyEqual(values, step)
    ? { repeated: laterEquals(values), by: 'values' }
    : undefined;
}

/** The rows that the later of two equal windows covers. */
function repeatedSequences(values: readonly number[]): number[] {
  const size = values.length;
  const sameChance = chanceOfEqual(values);
  if (sameChance >= 1) return [];
  const width = Math.ceil(Math.log(CHANCE_MAX / size ** 2) / Math.log(sameChance));
  if (width * 2 > size) return [];
  const firstAt = new Map<string, number>();
  const covered = new Set<number>();
  for (let start = 0; start + width <= size; start += 1) {
    const window = values.slice(start, start + width);
    if (new Set(window).size < Math.max(DISTINCT_MIN, width / 4)) continue;
    const key = window.join();
    const earlier = firstAt.get(key);
    if (earlier === undefined) firstAt.set(key, start);
    else if (start - earlier >= width) {
      for (let index = start; index < start + width; index += 1) covered.add(index);
    }
  }
  return [...covered].toSorted((left, right) => left - right);
}

/** The chance that two values drawn from these are equal: the sum of squared shares. */
function chanceOfEqual(values: readonly number[]): number {
  let sum = 0;
  for (const count of countValues(values).values()) sum += (count / values.length) ** 2;
  return sum;
}

function hasTooManyEqual(values: readonly number[], step: number): boolean {
  const counts = countValues(values);
  const lower = quantile(values, 0.25) ?? 0;
  const upper = quantile(values, 0.75) ?? 0;
  // On a coarse grid equal values are what one expects.
  if (upper - lower < 2 * NEIGHBOURS * step || counts.size < ROWS_MIN) return false;
  let equal = 0;
  let near = 0;
  for (const [value, count] of counts) {
    equal += (count * (count - 1)) / 2;
    for (let distance = 1; distance <= NEIGHBOURS; distance += 1) {
      near += count * (counts.get(value + distance * step) ?? 0);
    }
  }
  // A pair can differ by a distance in two ways, up and down, and by 0 in one.
  const expected = near / (2 * NEIGHBOURS);
  return equal >= SHARE_MIN * values.length && equal >= EXCESS_MIN * (expected + 3);
}

function laterEquals(values: readonly number[]): number[] {
  const seen = new Set<number>();
  return values.flatMap((value, index) => {
    if (seen.has(value)) return [index];
    seen.add(value);
    return [];
  });
}

function countValues(values: readonly number[]): Map<number, number> {
  const counts = new Map<number, number>();
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1);
  return counts;
}
