/**
 * The time port. Everything in the agent that needs time takes one, so that tests can give it a
 * simulated clock with an offset, drift and steps.
 */
export interface Clock {
  /** CLOCK_MONOTONIC, ns. */
  monotonicNs(): bigint;
  /** CLOCK_REALTIME, ns since 1970; to the millisecond; for people, never for arithmetic. */
  utcNs(): bigint;
  /** Resolves after about this many milliseconds; may be late by milliseconds, or a bit early. */
  sleep(durationMs: number, signal?: AbortSignal): Promise<void>;
}

/** The clock of this machine. */
export const systemClock: Clock = {
  monotonicNs: () => process.hrtime.bigint(),
  utcNs: () => BigInt(Date.now()) * 1_000_000n,
  sleep: (durationMs, signal) =>
    new Promise((resolve) => {
      const timer = setTimeout(finish, durationMs);
      signal?.addEventListener('abort', finish, { once: true });
      function finish(): void {
        clearTimeout(timer);
        signal?.removeEventListener('abort', finish);
        resolve();
      }
    }),
};
