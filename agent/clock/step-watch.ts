import type { Clock } from './clock.ts';

/** Difference that is no reading error: the wall clock is read to the millisecond, ns. */
const STEP_MIN_NS = 5_000_000n;

/**
 * Sees steps and suspends between two looks. NTP daemons slew CLOCK_REALTIME and CLOCK_MONOTONIC
 * alike, so their difference changes only when one of them is stepped, or when the machine sleeps,
 * while CLOCK_MONOTONIC stands still (clock_gettime(2)).
 */
export class StepWatch {
  readonly #clock: Clock;
  readonly #differenceNs: bigint;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#differenceNs = differenceOf(clock);
  }

  /** How far the clocks moved against each other since the watch began, ns; 0 if they did not. */
  stepNs(): bigint {
    const movedNs = differenceOf(this.#clock) - this.#differenceNs;
    return movedNs > STEP_MIN_NS || movedNs < -STEP_MIN_NS ? movedNs : 0n;
  }
}

function differenceOf(clock: Clock): bigint {
  // A pause of this process between two readings must not look like a step: the tightest of three.
  let best: { widthNs: bigint; differenceNs: bigint } | undefined;
  for (let look = 0; look < 3; look += 1) {
    const beforeNs = clock.monotonicNs();
    const utcNs = clock.utcNs();
    const widthNs = clock.monotonicNs() - beforeNs;
    if (best === undefined || widthNs < best.widthNs) {
      best = { widthNs, differenceNs: utcNs - beforeNs };
    }
  }
  return best?.differenceNs ?? 0n;
}
