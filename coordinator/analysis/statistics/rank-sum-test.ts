import { normalCdf } from './normal.ts';
import { rankPairs } from './rank-pairs.ts';

/** Up to this size of both samples together, without ties, the exact distribution is used. */
const EXACT_SIZE_MAX = 50;

/**
 * The two-sided p value of the Wilcoxon-Mann-Whitney test (H. Mann, D. Whitney, "On a test of
 * whether one of two random variables is stochastically larger than the other", Ann. Math. Stat.
 * 18, 1947): exact for small samples without ties, else the normal approximation with tie and
 * continuity correction.
 *
 * @returns undefined if a sample is empty.
 */
export function rankSumTest(
  first: readonly number[],
  second: readonly number[],
): number | undefined {
  if (first.length === 0 || second.length === 0) return undefined;
  const { firstWins, tieTerm } = rankPairs(first, second);
  const isSmall = first.length + second.length <= EXACT_SIZE_MAX;
  return isSmall && tieTerm === 0
    ? exactP(firstWins, first.length, second.length)
    : approximateP(firstWins, { sizes: [first.length, second.length], tieTerm });
}

function exactP(wins: number, firstSize: number, secondSize: number): number {
  const counts = distribution(firstSize, secondSize);
  const total = counts.reduce((sum, count) => sum + count, 0);
  const lower = Math.min(wins, firstSize * secondSize - wins);
  const tail = counts.slice(0, lower + 1).reduce((sum, count) => sum + count, 0);
  return Math.min(1, (2 * tail) / total);
}

/** Number of orders for each value of U, by the generating function of the Gaussian binomial. */
function distribution(firstSize: number, secondSize: number): number[] {
  const most = firstSize * secondSize;
  const counts = Array.from({ length: most + 1 }, (_, index): number => (index === 0 ? 1 : 0));
  for (let step = 1; step <= firstSize; step += 1) {
    const up = secondSize + step;
    for (let index = most; index >= up; index -= 1) {
      counts[index] = (counts[index] ?? 0) - (counts[index - up] ?? 0);
    }
    for (let index = step; index <= most; index += 1) {
      counts[index] = (counts[index] ?? 0) + (counts[index - step] ?? 0);
    }
  }
  return counts;
}

function approximateP(
  wins: number,
  { sizes: [firstSize, secondSize], tieTerm }: { sizes: [number, number]; tieTerm: number },
): number {
  const size = firstSize + secondSize;
  const product = firstSize * secondSize;
  const variance = (product / 12) * (size + 1 - tieTerm / (size * (size - 1)));
  if (variance <= 0) return 1;
  const distance = Math.max(0, Math.abs(wins - product / 2) - 0.5);
  return Math.min(1, 2 * normalCdf(-distance / Math.sqrt(variance)));
}
