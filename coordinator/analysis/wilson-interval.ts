import type { Interval } from './run-summary.ts';
import { normalQuantile } from './statistics/normal.ts';
import { COVERAGE } from './statistics/coverage.ts';

/**
 * The interval of a rate by the score method of Wilson, "Probable inference, the law of
 * succession, and statistical inference", JASA 22, 1927. It stays within 0 and 1, and says
 * something even when nothing failed.
 *
 * @param events 0 to n; may be a fraction, when n counts fewer independent units than attempts
 * @returns undefined for n = 0
 */
export function wilsonInterval(
  events: number,
  n: number,
  coverage = COVERAGE,
): Interval | undefined {
  if (n <= 0) return undefined;
  const z = normalQuantile((1 + coverage) / 2);
  const rate = events / n;
  const z2 = z * z;
  const centre = rate + z2 / (2 * n);
  const halfWidth = z * Math.sqrt((rate * (1 - rate)) / n + z2 / (4 * n * n));
  const scale = 1 + z2 / n;
  return {
    // The ends are exact at the edges, where rounding would leave 1e-17.
    lower: events === 0 ? 0 : Math.max(0, (centre - halfWidth) / scale),
    upper: events === n ? 1 : Math.min(1, (centre + halfWidth) / scale),
    coverage,
  };
}
