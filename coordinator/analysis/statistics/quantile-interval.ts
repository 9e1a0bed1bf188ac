import type { Interval } from '../run-summary.ts';
import { logGamma } from './special-functions.ts';
import { COVERAGE } from './coverage.ts';

/**
 * The distribution-free interval of a quantile between two order statistics (David & Nagaraja,
 * "Order Statistics", 3rd ed., 2003, section 7.1): each tail of B ~ Binomial(n, p) holds at most
 * half of what is not covered.
 *
 * @param values independent, of one distribution, in any order
 * @param probability of the quantile, more than 0 and less than 1
 * @returns undefined if even smallest and largest value do not cover enough
 */
export function quantileInterval(
  values: ArrayLike<number>,
  probability: number,
  coverage = COVERAGE,
): Interval | undefined {
  // Typed arrays sort by value without a comparator, ten times as fast.
  const sorted = Float64Array.from(values).sort();
  const size = sorted.length;
  const { first, terms } = binomialTerms(size, probability);
  const termOf = (count: number): number => terms[count - first] ?? 0;
  const tailMax = (1 - coverage) / 2;
  // P(B < r) is the chance that X(r), counted from 1, lies above the quantile.
  let lowTail = 0;
  let lowRank = first;
  while (lowRank < size && lowTail + termOf(lowRank) <= tailMax) {
    lowTail += termOf(lowRank);
    lowRank += 1;
  }
  let highTail = 0;
  let highRank = first + terms.length;
  while (highRank > 1 && highTail + termOf(highRank - 1) <= tailMax) {
    highTail += termOf(highRank - 1);
    highRank -= 1;
  }
  const lower = sorted[lowRank - 1];
  const upper = sorted[highRank - 1];
  if (lower === undefined || upper === undefined) return undefined;
  return { lower, upper, coverage: 1 - lowTail - highTail };
}

/** Terms that lie farther from the mean than this, in standard deviations, are below 1e-30. */
const DEVIATIONS_MAX = 12;

/**
 * P(B = k) for the k from `first` on that may have a chance; in logarithms, which hold for any n.
 * Of a million values these are some thousands.
 */
function binomialTerms(
  size: number,
  probability: number,
): { readonly first: number; readonly terms: readonly number[] } {
  const mean = size * probability;
  // What is added keeps all terms of a small sample, whose distribution is no normal one.
  const reach = DEVIATIONS_MAX * Math.sqrt(mean * (1 - probability)) + 1000;
  const first = Math.max(0, Math.floor(mean - reach));
  const last = Math.min(size, Math.ceil(mean + reach));
  const logOdds = Math.log(probability) - Math.log1p(-probability);
  let logTerm =
    size * Math.log1p(-probability) + first * logOdds + (first === 0 ? 0 : logChoices(size, first));
  const terms: number[] = [];
  for (let count = first; count <= last; count += 1) {
    terms.push(Math.exp(logTerm));
    logTerm += Math.log((size - count) / (count + 1)) + logOdds;
  }
  return { first, terms };
}

function logChoices(size: number, count: number): number {
  return logGamma(size + 1) - logGamma(count + 1) - logGamma(size - count + 1);
}
