import type { Clock } from '../../agent/clock/clock.ts';
import { NS_PER_MS } from '../../schemas/units.ts';

/** A jump of a clock. */
export interface ClockStep {
  /** When it happens, on the clock below, ns. */
  readonly atTrueNs: bigint;
  /** How far the clock jumps, ns; negative is back. */
  readonly byNs: bigint;
}

/** How a warped clock differs from the clock below; everything has a default of no difference. */
export interface Warp {
  /** Own CLOCK_MONOTONIC minus that of the clock below, at the origin, ns. */
  readonly offsetNs?: bigint;
  /**
   * The instant of the clock below at which the offset holds, ns: several processes that are given
   * the same show the same. Absent: when it is made.
   */
  readonly originTrueNs?: bigint;
  /** How much faster it runs than the clock below, parts per million. */
  readonly driftPpm?: number;
  /** Readings are off by up to this, either way, ns. */
  readonly noiseNs?: bigint;
  /** Jumps of CLOCK_MONOTONIC. */
  readonly monotonicSteps?: readonly ClockStep[];
  /** Jumps of CLOCK_REALTIME. */
  readonly wallSteps?: readonly ClockStep[];
  /** Of the noise. */
  readonly seed?: number;
}

/**
 * A clock that is wrong in a known way: what it shows follows from the clock below, whose time
 * counts as true, and the way back is known too. Both of its clocks drift alike, as they do on a
 * machine, and each is stepped by itself.
 */
export class WarpedClock implements Clock {
  readonly #below: Clock;
  readonly #originTrueNs: bigint;
  readonly #originUtcNs: bigint;
  readonly #offsetNs: bigint;
  readonly #driftPpt: bigint;
  readonly #noiseNs: bigint;
  readonly #monotonicSteps: ClockStep[];
  readonly #wallSteps: ClockStep[];
  #random: number;

  constructor(below: Clock, warp: Warp = {}) {
    this.#below = below;
    const nowTrueNs = below.monotonicNs();
    this.#originTrueNs = warp.originTrueNs ?? nowTrueNs;
    this.#originUtcNs = below.utcNs() - (nowTrueNs - this.#originTrueNs);
    this.#offsetNs = warp.offsetNs ?? 0n;
    this.#driftPpt = BigInt(Math.round((warp.driftPpm ?? 0) * 1e6));
    this.#noiseNs = warp.noiseNs ?? 0n;
    this.#monotonicSteps = [...(warp.monotonicSteps ?? [])].sort(byInstant);
    this.#wallSteps = [...(warp.wallSteps ?? [])].sort(byInstant);
    this.#random = (warp.seed ?? 1) >>> 0;
  }

  monotonicNs(): bigint {
    return this.#noisy(this.toOwn(this.#below.monotonicNs()));
  }

  utcNs(): bigint {
    const trueNs = this.#below.monotonicNs();
    const utcNs = this.#originUtcNs + this.#passedNs(trueNs) + stepped(this.#wallSteps, trueNs);
    return (utcNs / NS_PER_MS) * NS_PER_MS;
  }

  sleep(durationMs: number, signal?: AbortSignal): Promise<void> {
    return this.#below.sleep(durationMs / (1 + Number(this.#driftPpt) / 1e12), signal);
  }

  spinUntil(targetMonoNs: bigint): bigint {
    for (;;) {
      const trueNs = this.#below.spinUntil(this.toTrue(targetMonoNs));
      const nowNs = this.#noisy(this.toOwn(trueNs));
      if (nowNs >= targetMonoNs) return nowNs;
    }
  }

  /** Steps CLOCK_MONOTONIC now. */
  stepMonotonic(byNs: bigint): void {
    this.#monotonicSteps.push({ atTrueNs: this.#below.monotonicNs(), byNs });
    this.#monotonicSteps.sort(byInstant);
  }

  /** Steps CLOCK_REALTIME now. */
  stepWall(byNs: bigint): void {
    this.#wallSteps.push({ atTrueNs: this.#below.monotonicNs(), byNs });
  }

  /** What this clock shows, but for noise, when the clock below shows this, ns. */
  toOwn(trueNs: bigint): bigint {
    const stepsNs = stepped(this.#monotonicSteps, trueNs);
    return this.#originTrueNs + this.#offsetNs + this.#passedNs(trueNs) + stepsNs;
  }

  /**
   * What the clock below shows when this one shows that, ns, to 1 ns. An instant that a step back
   * made happen twice is the later one; one that a step forward left out is that of the step.
   */
  toTrue(monoNs: bigint): bigint {
    let stepsNs = this.#monotonicSteps.reduce((sum, { byNs }) => sum + byNs, 0n);
    let notAfterNs: bigint | undefined;
    for (const { atTrueNs, byNs } of this.#monotonicSteps.toReversed()) {
      const trueNs = this.#unsteppedToTrue(monoNs - stepsNs);
      if (trueNs >= atTrueNs) return least(trueNs, notAfterNs);
      stepsNs -= byNs;
      notAfterNs = atTrueNs;
    }
    return least(this.#unsteppedToTrue(monoNs - stepsNs), notAfterNs);
  }

  #unsteppedToTrue(monoNs: bigint): bigint {
    const passedNs = monoNs - this.#originTrueNs - this.#offsetNs;
    const dividend = passedNs * PPT;
    const divisor = PPT + this.#driftPpt;
    return this.#originTrueNs + dividend / divisor + (dividend % divisor > 0n ? 1n : 0n);
  }

  #passedNs(trueNs: bigint): bigint {
    const passedNs = trueNs - this.#originTrueNs;
    return passedNs + (passedNs * this.#driftPpt) / PPT;
  }

  #noisy(monoNs: bigint): bigint {
    if (this.#noiseNs === 0n) return monoNs;
    // Numerical Recipes' linear congruential generator: nothing here depends on its quality.
    this.#random = (Math.imul(this.#random, 1_664_525) + 1_013_904_223) >>> 0;
    const share = BigInt(this.#random) * (2n * this.#noiseNs + 1n);
    return monoNs - this.#noiseNs + (share >> 32n);
  }
}

const PPT = 1_000_000_000_000n;

function byInstant(left: ClockStep, right: ClockStep): number {
  return Number(left.atTrueNs - right.atTrueNs);
}

function stepped(steps: readonly ClockStep[], trueNs: bigint): bigint {
  let sumNs = 0n;
  for (const { atTrueNs, byNs } of steps) if (trueNs >= atTrueNs) sumNs += byNs;
  return sumNs;
}

function least(valueNs: bigint, limitNs: bigint | undefined): bigint {
  return limitNs !== undefined && limitNs < valueNs ? limitNs : valueNs;
}
