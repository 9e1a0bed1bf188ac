import { rankPairs } from './rank-pairs.ts';

/** How often a value of one sample is larger than one of another. */
export interface EffectSize {
  /**
   * Probability that a value of the second is larger than one of the first, ties counting half:
   * Vargha & Delaney's A12 ("A critique and improvement of the CL common language effect size
   * statistics", J. Educ. Behav. Stat. 25(2), 2000).
   */
  readonly a12: number;
  /** 2 A12 - 1: N. Cliff, "Dominance statistics", Psychological Bulletin 114(3), 1993. */
  readonly cliffsDelta: number;
  /** By the limits of Romano et al. 2006: 0.147, 0.33 and 0.474 of the delta's size. */
  readonly size: 'negligible' | 'small' | 'medium' | 'large';
}

/** @returns undefined if a sample is empty. */
export function effectSize(
  first: readonly number[],
  second: readonly number[],
): EffectSize | undefined {
  if (first.length === 0 || second.length === 0) return undefined;
  const pairs = first.length * second.length;
  const a12 = 1 - rankPairs(first, second).firstWins / pairs;
  const cliffsDelta = 2 * a12 - 1;
  return { a12, cliffsDelta, size: sizeOf(Math.abs(cliffsDelta)) };
}

function sizeOf(delta: number): EffectSize['size'] {
  if (delta < 0.147) return 'negligible';
  if (delta < 0.33) return 'small';
  return delta < 0.474 ? 'medium' : 'large';
}
