/**
 * Holm's step-down correction (S. Holm, "A simple sequentially rejective multiple test procedure",
 * Scand. J. Statist. 6, 1979): holds the chance of any false claim among all comparisons, whatever
 * their dependence.
 *
 * @returns the adjusted p value of each, in the order given, 1 at most
 */
export function holmAdjust(pValues: readonly number[]): number[] {
  const order = pValues
    .map((pValue, index) => ({ pValue, index }))
    .toSorted((left, right) => left.pValue - right.pValue);
  const adjusted = pValues.map(() => 1);
  let largest = 0;
  order.forEach(({ pValue, index }, rank) => {
    largest = Math.max(largest, Math.min(1, pValue * (pValues.length - rank)));
    adjusted[index] = largest;
  });
  return adjusted;
}
