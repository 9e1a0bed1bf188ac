/**
 * A duration in ns as milliseconds for people, without the unit: about three digits that matter,
 * never an exponent.
 */
export function formatMs(durationNs: number): string {
  const valueMs = durationNs / 1e6;
  const size = Math.abs(valueMs);
  if (size >= 1000) return valueMs.toFixed(0);
  if (size >= 10) return valueMs.toFixed(1);
  if (size >= 1 || size === 0) return valueMs.toFixed(2);
  return valueMs.toFixed(size >= 0.01 ? 3 : 4);
}
