import { chiSquareTail } from './special-functions.ts';

/** Groups with fewer values are left out: the approximation needs some. */
export const GROUP_VALUES_MIN = 3;

/**
 * The p value of W. Kruskal & W. A. Wallis ("Use of ranks in one-criterion variance analysis", JASA
 * 47, 1952) that all groups come from one distribution, by chi-square with the correction for ties.
 *
 * @returns undefined for fewer than two groups with 3 values, or if all values are alike
 */
export function kruskalWallis(groups: readonly (readonly number[])[]): number | undefined {
  const used = groups.filter((group) => group.length >= GROUP_VALUES_MIN);
  if (used.length < 2) return undefined;
  const pooled = used
    .flatMap((group, index) => group.map((value) => ({ value, index })))
    .toSorted((left, right) => left.value - right.value);
  const rankSums = used.map(() => 0);
  let tieTerm = 0;
  for (let begin = 0; begin < pooled.length;) {
    let end = begin + 1;
    while (end < pooled.length && pooled[end]?.value === pooled[begin]?.value) end += 1;
    for (const { index } of pooled.slice(begin, end)) {
      rankSums[index] = (rankSums[index] ?? 0) + (begin + 1 + end) / 2;
    }
    tieTerm += (end - begin) ** 3 - (end - begin);
    begin = end;
  }
  const size = pooled.length;
  const correction = 1 - tieTerm / (size ** 3 - size);
  if (!(correction > 0)) return undefined;
  const sum = used.reduce(
    (total, group, index) => total + (rankSums[index] ?? 0) ** 2 / group.length,
    0,
  );
  const statistic = ((12 / (size * (size + 1))) * sum - 3 * (size + 1)) / correction;
  return chiSquareTail(statistic, used.length - 1);
}
