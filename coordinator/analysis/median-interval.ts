import type { Interval } from './run-summary.ts';
import { quantileInterval } from './statistics/quantile-interval.ts';

/**
 * The distribution-free interval of the median between two order statistics: the narrowest
 * symmetric pair X(r), X(n-r+1) whose coverage is at least the one wanted; see
 * {@link quantileInterval}. It supposes independent values of one distribution and nothing about
 * its form.
 *
 * @returns undefined if even the smallest and largest value do not cover enough: n < 6 for 95 %
 */
export function medianInterval(values: readonly number[], coverage = 0.95): Interval | undefined {
  return quantileInterval(values, 0.5, coverage);
}
