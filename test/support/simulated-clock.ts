import type { Clock } from '../../agent/clock/clock.ts';

/** How a simulated clock behaves; everything has a default. */
export interface SimulatedClockOptions {
  /** CLOCK_MONOTONIC at the beginning, ns. */
  readonly startMonoNs?: bigint;
  /** What each reading of the clock takes, ns; more than 0, so that a busy wait ends. */
  readonly readNs?: bigint;
  /** How much later than asked a timer fires, ms; negative is early. */
  readonly timerLateMs?: number;
}

/** A clock whose time passes only by being read and by sleeping. */
export class SimulatedClock implements Clock {
  /** CLOCK_MONOTONIC as it stands, ns. Set it to step the clock. */
  nowMonoNs: bigint;
  /** The durations that were slept, as asked for, ms. */
  readonly sleepsMs: number[] = [];
  /** Called before each sleep; the clock does not move until it returns. */
  beforeSleep: () => void = () => undefined;
  readonly #readNs: bigint;
  readonly #timerLateMs: number;

  constructor(options: SimulatedClockOptions = {}) {
    this.nowMonoNs = options.startMonoNs ?? 1_000_000_000n;
    this.#readNs = options.readNs ?? 50n;
    this.#timerLateMs = options.timerLateMs ?? 0;
  }

  monotonicNs(): bigint {
    this.nowMonoNs += this.#readNs;
    return this.nowMonoNs;
  }

  utcNs(): bigint {
    return 1_795_424_400_000_000_000n + this.nowMonoNs;
  }

  spinUntil(targetMonoNs: bigint): bigint {
    let nowNs = this.monotonicNs();
    while (nowNs < targetMonoNs) nowNs = this.monotonicNs();
    return nowNs;
  }

  async sleep(durationMs: number, signal?: AbortSignal): Promise<void> {
    this.sleepsMs.push(durationMs);
    this.beforeSleep();
    await Promise.resolve();
    if (signal?.aborted === true) return;
    const sleptMs = Math.max(0, durationMs + this.#timerLateMs);
    this.nowMonoNs += BigInt(Math.round(sleptMs * 1e6));
  }
}
