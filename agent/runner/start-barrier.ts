import type { Clock } from '../clock/clock.ts';

/** Longest busy wait before the instant, ns. Longer would starve others under SCHED_FIFO. */
const SPIN_NS = 2_000_000n;

/** Timers may fire this much early, ns (Node rounds to milliseconds). */
const TIMER_EARLY_NS = 2_000_000n;

/**
 * Waits until an instant on the clock's CLOCK_MONOTONIC: sleeps while it is far, spins the last
 * two milliseconds, and returns the stamp at which it let go, ns. Returns `undefined` at once when
 * the signal aborts first. An instant in the past returns immediately: the caller sees the
 * lateness in the stamp.
 */
export async function awaitInstant(
  clock: Clock,
  targetMonoNs: bigint,
  signal: AbortSignal,
): Promise<bigint | undefined> {
  for (;;) {
    if (signal.aborted) return undefined;
    const leftNs = targetMonoNs - clock.monotonicNs();
    if (leftNs <= SPIN_NS) break;
    const sleepNs = leftNs - SPIN_NS;
    const roundedNs = sleepNs > TIMER_EARLY_NS ? sleepNs - 1_000_000n : sleepNs;
    await clock.sleep(Number(roundedNs) / 1e6, signal);
  }
  return clock.spinUntil(targetMonoNs);
}
