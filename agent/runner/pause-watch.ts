import type { Clock } from '../clock/clock.ts';

const TICK_MS = 50;

/**
 * Sees whether this process stood still: SIGSTOP, or a processor that others kept. A timer ticks
 * while the watch is on; what is longer than its period was a pause. A suspended machine is seen by
 * StepWatch instead, because CLOCK_MONOTONIC stands still then.
 */
export class PauseWatch {
  readonly #clock: Clock;
  #timer: NodeJS.Timeout | undefined;
  #lastNs = 0n;
  #longestNs = 0n;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Begins anew. */
  begin(): void {
    this.end();
    this.#longestNs = 0n;
    this.#lastNs = this.#clock.monotonicNs();
    this.#timer = setInterval(() => {
      this.#look();
    }, TICK_MS);
    this.#timer.unref();
  }

  /** Ends, and returns the longest pause, ns. */
  end(): bigint {
    if (this.#timer === undefined) return 0n;
    this.#look();
    clearInterval(this.#timer);
    this.#timer = undefined;
    return this.#longestNs;
  }

  #look(): void {
    const nowNs = this.#clock.monotonicNs();
    const pauseNs = nowNs - this.#lastNs - BigInt(TICK_MS) * 1_000_000n;
    if (pauseNs > this.#longestNs) this.#longestNs = pauseNs;
    this.#lastNs = nowNs;
  }
}
