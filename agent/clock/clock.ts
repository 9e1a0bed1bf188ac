/**
 * The time port. Everything in the agent that needs time takes one, so that tests can give it a
 * simulated clock with an offset, drift, noise and steps.
 */
export interface Clock {
  /** CLOCK_MONOTONIC, ns. */
  monotonicNs(): bigint;
  /** CLOCK_REALTIME, ns since 1970; to the millisecond; for people, never for arithmetic. */
  utcNs(): bigint;
  /** Resolves after about this many milliseconds; may be late by milliseconds, or a bit early. */
  sleep(durationMs: number, signal?: AbortSignal): Promise<void>;
  /** Waits busily until an instant on CLOCK_MONOTONIC; returns the stamp that ended it, ns. */
  spinUntil(targetMonoNs: bigint): bigint;
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
  spinUntil: (targetMonoNs) => {
    // Numbers instead of bigints: they allocate nothing, so no collection falls into the wait.
    // performance.now() reads the same clock (CLOCK_MONOTONIC through uv_hrtime).
    const beganMs = performance.now();
    const targetMs = beganMs + Number(targetMonoNs - process.hrtime.bigint()) / 1e6;
    let nowMs = performance.now();
    while (nowMs < targetMs) nowMs = performance.now();
    // The two readings above were not taken at once, which makes the loop end some microseconds
    // early; the rest is exact.
    let nowNs = process.hrtime.bigint();
    while (nowNs < targetMonoNs) nowNs = process.hrtime.bigint();
    return nowNs;
  },
};

/**
 * CLOCK_REALTIME minus CLOCK_MONOTONIC, ns, by waiting for the millisecond to change: to about a
 * microsecond where nothing else runs. Takes at most a few milliseconds of busy waiting.
 */
export function readWallOffsetNs(clock: Clock): bigint {
  let best: { widthNs: bigint; offsetNs: bigint } | undefined;
  for (let edge = 0; edge < EDGES; edge += 1) {
    const startNs = clock.utcNs();
    let beforeNs = clock.monotonicNs();
    for (;;) {
      const utcNs = clock.utcNs();
      const afterNs = clock.monotonicNs();
      if (utcNs !== startNs) {
        const widthNs = afterNs - beforeNs;
        if (best === undefined || widthNs < best.widthNs) {
          best = { widthNs, offsetNs: utcNs - (beforeNs + afterNs) / 2n };
        }
        break;
      }
      beforeNs = afterNs;
    }
  }
  return best?.offsetNs ?? 0n;
}

const EDGES = 2;

/** Busy waits that let the compiler see what the wait at the instant will need. */
const WARM_UP_WAITS = 400;
const WARM_UP_WAIT_NS = 20_000n;

/**
 * Runs the busy wait often enough to be compiled (8 ms in all): a cold one lets go some
 * microseconds late.
 */
export function warmUp(clock: Clock): void {
  for (let wait = 0; wait < WARM_UP_WAITS; wait += 1) {
    clock.spinUntil(clock.monotonicNs() + WARM_UP_WAIT_NS);
  }
}
