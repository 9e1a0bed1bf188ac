import type { ClockEstimate } from '../../schemas/clock.ts';
import { LockstepError } from '../../schemas/errors.ts';
import { nanosecondsToMs } from '../../schemas/units.ts';
import type { Clock } from './clock.ts';
import { DriftLine } from './drift-line.ts';
import { bracket, extrapolate, intersectExchanges, middleOf, widenTo } from './offset-estimator.ts';
import type { OffsetInterval, ProbeExchange } from './offset-estimator.ts';
import { StepWatch } from './step-watch.ts';
import type { TimeProbe } from './time-probe.ts';

/** Probes per burst: at most if nothing else is said, and at least before a burst may end early. */
const PROBES_MAX = 40;
const PROBES_MIN = 12;

/**
 * A burst ends early when this many probes in a row have hardly narrowed the limits: by less than
 * 2 us and 0.2 % of what they are.
 */
const IDLE_PROBES = 8;
const NARROWED_MIN_NS = 2000n;

/** Longest burst, ns: on a slow link fewer probes must do. */
const BURST_MAX_NS = 400_000_000n;

/** Fewest answers that make an estimate. */
const ANSWERS_MIN = 4;

const PROBE_TIMEOUT_MS = 1000;

/** Probes without an answer that end a burst: all, or once some were answered. */
const MISSES_FIRST_MAX = 2;
const MISSES_MAX = 4;

/** What a burst found out, and the clock that it is about. */
export interface FleetInterval extends OffsetInterval {
  /** Name of the clock that is fleet time. */
  readonly fleetTime: string;
}

/** What a {@link Synchroniser} needs. */
export interface SynchroniserPorts {
  readonly probe: TimeProbe;
  readonly clock: Clock;
}

/** Finds out how this device's clock stands to fleet time, by bursts of probes. */
export class Synchroniser {
  readonly #ports: SynchroniserPorts;
  readonly #drift = new DriftLine();
  #latest: FleetInterval | undefined;
  /** Sees steps since the latest burst began. */
  #steps: StepWatch | undefined;
  #bursts: Promise<unknown> = Promise.resolve();

  constructor(ports: SynchroniserPorts) {
    this.#ports = ports;
  }

  /**
   * One burst of probes, after those that are going.
   *
   * @param probesMax most probes that it may send.
   * @throws LockstepError CLOCK_UNSYNCHRONISED if too few probes are answered or the timekeeper
   * changed in between, CLOCK_STEPPED if they contradict each other or a clock of the device was
   * stepped in between.
   */
  measure(probesMax: number = PROBES_MAX): Promise<FleetInterval> {
    const burst = this.#bursts.then(() => this.#burst(probesMax));
    this.#bursts = burst.catch(() => undefined);
    return burst;
  }

  /**
   * The latest burst if it is still nearly as good as when it was taken: the drift allowance has
   * widened its bound by a quarter at most, and no clock of the device was stepped since.
   */
  get fresh(): FleetInterval | undefined {
    const latest = this.#latest;
    if (latest === undefined || this.#steps?.stepNs() !== 0n) return undefined;
    const wide = widenTo(latest, this.#ports.clock.monotonicNs());
    const isFresh = middleOf(wide).boundNs * 4n <= middleOf(latest).boundNs * 5n;
    return isFresh ? latest : undefined;
  }

  /** Bound of the latest estimate as it is now, ns. Undefined if there is none. */
  get boundNs(): bigint | undefined {
    if (this.#latest === undefined) return undefined;
    return middleOf(widenTo(this.#latest, this.#ports.clock.monotonicNs())).boundNs;
  }

  /** Nothing known so far holds any more: a clock was stepped. */
  forget(): void {
    this.#latest = undefined;
    this.#steps = undefined;
    this.#drift.reset();
  }

  /** The estimate for an instant after a burst. */
  estimateAfter(interval: FleetInterval, atMonoNs: bigint): ClockEstimate {
    return {
      ...commonFields(interval, this.#drift.driftPpb),
      ...extrapolate(interval, atMonoNs, this.#drift.offsetAt(atMonoNs)),
      ageNs: atMonoNs - interval.atMonoNs,
      bracketed: false,
    };
  }

  /**
   * The estimate for an instant between two bursts.
   *
   * @throws LockstepError CLOCK_STEPPED if the two contradict each other, CLOCK_CHANGED if they are
   * about different clocks.
   */
  estimateBetween(before: FleetInterval, after: FleetInterval, atMonoNs: bigint): ClockEstimate {
    if (before.fleetTime !== after.fleetTime) {
      throw new LockstepError(
        'CLOCK_CHANGED',
        `fleet time changed from ${before.fleetTime} to ${after.fleetTime}`,
        { hint: 'Only one timekeeper may run.' },
      );
    }
    const both = bracket(before, after, atMonoNs);
    const agesNs = [atMonoNs - before.atMonoNs, after.atMonoNs - atMonoNs];
    return {
      ...commonFields({ ...both, fleetTime: before.fleetTime }, this.#drift.driftPpb),
      ...middleOf(both),
      ageNs: agesNs.reduce((least, ageNs) => (ageNs < least ? ageNs : least)),
      bracketed: true,
    };
  }

  async #burst(probesMax: number): Promise<FleetInterval> {
    const { clock } = this.#ports;
    // What was known before a step says nothing of the drift after it.
    if (this.#steps !== undefined && this.#steps.stepNs() !== 0n) this.forget();
    const steps = new StepWatch(clock);
    const endNs = clock.monotonicNs() + BURST_MAX_NS;
    const exchanges: ProbeExchange[] = [];
    const fleetTimes = new Set<string>();
    const narrowing = new Narrowing();
    let lastError: unknown;
    let misses = 0;
    for (let index = 0; index < probesMax; index += 1) {
      try {
        const { exchange, fleetTime } = await this.#ports.probe.exchange(PROBE_TIMEOUT_MS);
        exchanges.push(exchange);
        fleetTimes.add(fleetTime);
        narrowing.add(exchange);
      } catch (error) {
        lastError = error;
        misses += 1;
        // Each may have taken its whole time: there is nobody to wait for many more times.
        if (misses >= (exchanges.length === 0 ? MISSES_FIRST_MAX : MISSES_MAX)) break;
      }
      const enough = exchanges.length >= PROBES_MIN && narrowing.idleProbes >= IDLE_PROBES;
      if (enough || (exchanges.length >= ANSWERS_MIN && clock.monotonicNs() > endNs)) break;
    }
    return this.#take(this.#intervalOf(exchanges, fleetTimes, lastError), steps);
  }

  /** What was known before still holds, if widened by the drift allowance, so it narrows too. */
  #take(interval: FleetInterval, steps: StepWatch): FleetInterval {
    const stepNs = steps.stepNs();
    if (stepNs !== 0n) {
      this.forget();
      throw new LockstepError(
        'CLOCK_STEPPED',
        `a clock was stepped by ${nanosecondsToMs(stepNs)} ms during the probes`,
        { hint: 'Look at the logs of the time daemon of this device.' },
      );
    }
    if (this.#latest !== undefined && !belongTogether(this.#latest, interval)) this.forget();
    const narrowed =
      this.#latest === undefined ? interval : { ...interval, ...limitsOf(this.#latest, interval) };
    this.#latest = narrowed;
    this.#steps = steps;
    // Each burst counts for itself here: what is narrowed by others would repeat them.
    this.#drift.add(interval);
    return narrowed;
  }

  #intervalOf(
    exchanges: readonly ProbeExchange[],
    fleetTimes: ReadonlySet<string>,
    lastError: unknown,
  ): FleetInterval {
    const [fleetTime, other] = fleetTimes;
    if (fleetTime === undefined || exchanges.length < ANSWERS_MIN) {
      throw new LockstepError(
        'CLOCK_UNSYNCHRONISED',
        `only ${exchanges.length} clock probes were answered, of ${ANSWERS_MIN} at least`,
        { cause: lastError, hint: 'Check that the timekeeper runs beside the coordinator.' },
      );
    }
    if (other !== undefined) {
      this.forget();
      throw new LockstepError(
        'CLOCK_UNSYNCHRONISED',
        `fleet time changed from ${fleetTime} to ${other} during the probes`,
        { hint: 'Only one timekeeper may run; the next trial is synchronised anew.' },
      );
    }
    return { ...this.#intersect(exchanges), fleetTime };
  }

  #intersect(exchanges: readonly ProbeExchange[]): OffsetInterval {
    try {
      return intersectExchanges(exchanges);
    } catch (error) {
      this.forget();
      throw error;
    }
  }
}

/** The limits that two bursts together give at the instant of the later one. */
function limitsOf(
  earlier: FleetInterval,
  later: FleetInterval,
): Pick<OffsetInterval, 'lowerNs' | 'upperNs'> {
  const { lowerNs, upperNs } = bracket(earlier, later, later.atMonoNs);
  return { lowerNs, upperNs };
}

/** False if they are about two clocks, or a clock was stepped or stood still in between. */
function belongTogether(earlier: FleetInterval, later: FleetInterval): boolean {
  const wide = widenTo(earlier, later.atMonoNs);
  const doMeet = wide.lowerNs <= later.upperNs && later.lowerNs <= wide.upperNs;
  return doMeet && earlier.fleetTime === later.fleetTime;
}

/** Tells when more probes no longer help. */
class Narrowing {
  idleProbes = 0;
  #outMinNs: bigint | undefined;
  #backMinNs: bigint | undefined;

  add({ sentAtMonoNs, receivedAtFleetNs, answeredAtFleetNs, returnedAtMonoNs }: ProbeExchange) {
    const outNs = receivedAtFleetNs - sentAtMonoNs;
    const backNs = returnedAtMonoNs - answeredAtFleetNs;
    const before = this.#gapNs();
    if (this.#outMinNs === undefined || outNs < this.#outMinNs) this.#outMinNs = outNs;
    if (this.#backMinNs === undefined || backNs < this.#backMinNs) this.#backMinNs = backNs;
    const after = this.#gapNs();
    const isIdle =
      before !== undefined &&
      after !== undefined &&
      before - after < NARROWED_MIN_NS + before / 500n;
    this.idleProbes = isIdle ? this.idleProbes + 1 : 0;
  }

  #gapNs(): bigint | undefined {
    if (this.#outMinNs === undefined || this.#backMinNs === undefined) return undefined;
    return this.#outMinNs + this.#backMinNs;
  }
}

function commonFields(
  interval: FleetInterval,
  driftPpb: number | undefined,
): Pick<ClockEstimate, 'fleetTime' | 'probes' | 'roundTripMinNs' | 'burstNs' | 'driftPpb'> {
  const { fleetTime, probes, roundTripMinNs, burstNs } = interval;
  return {
    fleetTime,
    probes,
    roundTripMinNs,
    burstNs,
    ...(driftPpb === undefined ? {} : { driftPpb }),
  };
}
