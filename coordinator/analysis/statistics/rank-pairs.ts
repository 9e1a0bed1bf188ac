/** How the values of two samples stand to each other. */
export interface RankPairs {
  /** Pairs in which the value of the first is the larger, ties counting half: Mann-Whitney's U. */
  readonly firstWins: number;
  /** Sum of t^3 - t over the groups of t equal values among both; 0 without ties. */
  readonly tieTerm: number;
}

/** Counts pairs in one pass over both samples, sorted. */
export function rankPairs(first: ArrayLike<number>, second: ArrayLike<number>): RankPairs {
  // Typed arrays sort by value without a comparator, ten times as fast.
  const [a, b] = [Float64Array.from(first).sort(), Float64Array.from(second).sort()];
  let [i, j] = [0, 0];
  let firstWins = 0;
  let tieTerm = 0;
  while (i < a.length || j < b.length) {
    const value = Math.min(a[i] ?? Infinity, b[j] ?? Infinity);
    // What is no number is sorted to the end, and compares with nothing.
    if (Number.isNaN(value)) break;
    const below = j;
    const beginI = i;
    while (i < a.length && a[i] === value) i += 1;
    while (j < b.length && b[j] === value) j += 1;
    firstWins += (i - beginI) * (below + (j - below) / 2);
    const ties = i - beginI + j - below;
    tieTerm += ties ** 3 - ties;
  }
  return { firstWins, tieTerm };
}
