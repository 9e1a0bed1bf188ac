import type { Spread } from '../../schemas/selftest.ts';

/** Where some values lie; undefined if there are none. */
export function spreadOf(values: readonly number[]): Spread | undefined {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = (sorted.length - 1) / 2;
  const [minimum, lower, upper, maximum] = [0, Math.floor(middle), Math.ceil(middle), -1].map(
    (index) => sorted.at(index),
  );
  if (minimum === undefined || lower === undefined) return undefined;
  if (upper === undefined || maximum === undefined) return undefined;
  return { count: sorted.length, median: (lower + upper) / 2, minimum, maximum };
}
