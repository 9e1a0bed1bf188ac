import type { Interval } from './run-summary.ts';

/** The 97.5 % quantile of the normal distribution. */
const Z_95 = 1.959963984540054;

/**
 * The 95 % interval of a rate by the score method of Wilson, "Probable inference, the law of
 * succession, and statistical inference", JASA 22, 1927. It stays within 0 and 1, and says
 * something even when nothing failed.
 *
 * @param events 0 to n; may be a fraction, when n counts fewer independent units than attempts
 * @returns undefined for n = 0
 */
export function wilsonInterval(events: number, n: number): Interval | undefined {
  if (n <= 0) return undefined;
  const rate = events / n;
  const z2 = Z_95 * Z_95;
  const centre = rate + z2 / (2 * n);
  const halfWidth = Z_95 * Math.sqrt((rate * (1 - rate)) / n + z2 / (4 * n * n));
  const scale = 1 + z2 / n;
  return {
    // The ends are exact at the edges, where rounding would leave 1e-17.
    lower: events === 0 ? 0 : Math.max(0, (centre - halfWidth) / scale),
    upper: events === n ? 1 : Math.min(1, (centre + halfWidth) / scale),
    coverage: 0.95,
  };
}
