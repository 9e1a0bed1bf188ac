import { ascending } from './quantile.ts';
import type { Interval } from './run-summary.ts';

/**
 * The distribution-free interval of the median between two order statistics: the narrowest
 * symmetric pair X(r), X(n-r+1) whose coverage 1 - 2 P(B <= r-1), B ~ Binomial(n, 1/2), is at
 * least the one wanted (David & Nagaraja, "Order Statistics", 3rd ed., 2003, section 7.1). It
 * supposes independent values of one distribution and nothing about its form.
 *
 * @returns undefined if even the smallest and largest value do not cover enough: n < 6 for 95 %
 */
export function medianInterval(values: readonly number[], coverage = 0.95): Interval | undefined {
  const sorted = ascending(values);
  const size = sorted.length;
  const tailMax = (1 - coverage) / 2;
  // In logarithms, because 2^-n is 0 in floating point beyond n = 1074.
  let logTerm = -size * Math.LN2;
  let tail = 0;
  let best: Interval | undefined;
  for (let below = 0; below < size / 2; below += 1) {
    tail += Math.exp(logTerm);
    const lower = sorted[below];
    const upper = sorted[size - 1 - below];
    if (tail > tailMax || lower === undefined || upper === undefined) break;
    best = { lower, upper, coverage: 1 - 2 * tail };
    logTerm += Math.log((size - below) / (below + 1));
  }
  return best;
}
