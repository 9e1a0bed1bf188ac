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
  const sorted = first.toSorted((left, right) => left - right);
  let wins = 0;
  for (const value of second) wins += (countBelow(sorted, value) + countUpTo(sorted, value)) / 2;
  const a12 = wins / (first.length * second.length);
  const cliffsDelta = 2 * a12 - 1;
  return { a12, cliffsDelta, size: sizeOf(Math.abs(cliffsDelta)) };
}

function sizeOf(delta: number): EffectSize['size'] {
  if (delta < 0.147) return 'negligible';
  if (delta < 0.33) return 'small';
  return delta < 0.474 ? 'medium' : 'large';
}

function countBelow(sorted: readonly number[], value: number): number {
  return firstPlace(sorted, (candidate) => candidate >= value);
}

function countUpTo(sorted: readonly number[], value: number): number {
  return firstPlace(sorted, (candidate) => candidate > value);
}

function firstPlace(sorted: readonly number[], isThere: (candidate: number) => boolean): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (isThere(sorted[middle] ?? Number.NaN)) high = middle;
    else low = middle + 1;
  }
  return low;
}
