/** The shortest and the longest span that {@link backOffMs} chooses from, ms. */
export interface BackOffRange {
  baseMs: number;
  capMs: number;
}

/**
 * How long to wait before the next try, ms: exponential with full jitter, so that a fleet that lost
 * its server does not come back in one instant.
 *
 * @param attempt the tries that failed so far, from 1
 */
export function backOffMs(attempt: number, { baseMs, capMs }: BackOffRange): number {
  const ceilingMs = Math.min(capMs, baseMs * 2 ** Math.min(attempt, 30));
  return baseMs + Math.random() * Math.max(0, ceilingMs - baseMs);
}
