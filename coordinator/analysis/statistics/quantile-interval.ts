import type { Interval } from '../run-summary.ts';

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
  coverage = 0.95,
): Interval | undefined {
  // Typed arrays sort by value without a comparator, ten times as fast.
  const sorted = Float64Array.from(values).sort();
  const terms = binomialTerms(sorted.length, probability);
  const tailMax = (1 - coverage) / 2;
  // P(B < r) is the chance that X(r), counted from 1, lies above the quantile.
  let lowTail = 0;
  let lowRank = 0;
  while (lowRank < sorted.length && lowTail + (terms[lowRank] ?? 0) <= tailMax) {
    lowTail += terms[lowRank] ?? 0;
    lowRank += 1;
  }
  let highTail = 0;
  let highRank = sorted.length + 1;
  while (highRank > 1 && highTail + (terms[highRank - 1] ?? 0) <= tailMax) {
    highTail += terms[highRank - 1] ?? 0;
    highRank -= 1;
  }
  const lower = sorted[lowRank - 1];
  const upper = sorted[highRank - 1];
  if (lower === undefined || upper === undefined) return undefined;
  return { lower, upper, coverage: 1 - lowTail - highTail };
}

/** P(B = k) for k from 0 to n; in logarithms, which hold for any n. */
function binomialTerms(size: number, probability: number): number[] {
  const terms: number[] = [];
  let logTerm = size * Math.log1p(-probability);
  for (let count = 0; count <= size; count += 1) {
    terms.push(Math.exp(logTerm));
    logTerm += Math.log((size - count) / (count + 1)) + Math.log(probability / (1 - probability));
  }
  return terms;
}
