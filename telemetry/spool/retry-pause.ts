import { backOffMs } from '../../bus/back-off.ts';

const RETRY = { baseMs: 500, capMs: 30_000 };
/** A wish for a longer pause is not followed: the endpoint would be as good as gone. */
const RETRY_AFTER_MAX_MS = 15 * 60_000;
/** So that those who were sent away together don't come back together. */
const RETRY_AFTER_JITTER = 0.25;

/**
 * How long to wait before a payload is sent again, ms: exponential with jitter, and never shorter
 * than the endpoint wished.
 *
 * @param failures how often in a row it failed, from 1
 * @param afterMs what the endpoint wished. Absent: nothing
 */
export function retryPauseMs(failures: number, afterMs = 0): number {
  const wishedMs = Math.min(Math.max(0, afterMs), RETRY_AFTER_MAX_MS);
  const jitteredMs = wishedMs * (1 + RETRY_AFTER_JITTER * Math.random());
  return Math.max(jitteredMs, backOffMs(failures, RETRY));
}
