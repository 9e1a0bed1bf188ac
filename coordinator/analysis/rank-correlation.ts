/**
 * Spearman's rank correlation (1904), with mean ranks for ties: 1 if y always rises with x, -1 if
 * it always falls.
 *
 * @returns undefined for fewer than 3 pairs, or if all values of one side are equal
 */
export function rankCorrelation(pairs: readonly (readonly [number, number])[]): number | undefined {
  if (pairs.length < 3) return undefined;
  const first = meanRanks(pairs.map(([x]) => x));
  const second = meanRanks(pairs.map(([, y]) => y));
  const centre = (pairs.length + 1) / 2;
  let product = 0;
  let firstSquares = 0;
  let secondSquares = 0;
  for (const [index, rank] of first.entries()) {
    const x = rank - centre;
    const y = (second[index] ?? centre) - centre;
    product += x * y;
    firstSquares += x * x;
    secondSquares += y * y;
  }
  if (firstSquares === 0 || secondSquares === 0) return undefined;
  return product / Math.sqrt(firstSquares * secondSquares);
}

function meanRanks(values: readonly number[]): number[] {
  const sorted = values.toSorted((a, b) => a - b);
  const rankOf = new Map<number, number>();
  for (let start = 0; start < sorted.length;) {
    const value = sorted[start];
    if (value === undefined) break;
    let end = start;
    while (sorted[end + 1] === value) end += 1;
    rankOf.set(value, (start + end) / 2 + 1);
    start = end + 1;
  }
  return values.map((value) => rankOf.get(value) ?? 0);
}
