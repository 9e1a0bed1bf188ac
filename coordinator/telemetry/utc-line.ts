import { fleetTimeName } from '../timekeeper/fleet-time.ts';

/** What the timekeeper answered, and when that was on the own CLOCK_MONOTONIC, ns. */
export interface FleetReading {
  readonly fleetTime: string;
  readonly nowFleetNs: bigint;
  readonly askedAtMonoNs: bigint;
  readonly heardAtMonoNs: bigint;
}

/** The clocks of this machine; the name tells whether its CLOCK_MONOTONIC is fleet time. */
export interface LineClocks {
  readonly monotonicNs: () => bigint;
  readonly utcNs: () => bigint;
  readonly name: string;
}

/** A change of UTC against CLOCK_MONOTONIC above this is a step of the wall clock, ns. */
const STEP_NS = 5_000_000n;

/**
 * The one line of time that everything exported is on: UTC as this machine has it. The difference
 * between UTC and CLOCK_MONOTONIC is kept until the wall clock is stepped, so that instants keep
 * their distances to the nanosecond; it is right to the millisecond.
 */
export class UtcLine {
  readonly #clocks: LineClocks;
  #utcMinusMonoNs: bigint;

  constructor(clocks: LineClocks = machineClocks()) {
    this.#clocks = clocks;
    this.#utcMinusMonoNs = this.#readDifference();
  }

  /** UTC minus the own CLOCK_MONOTONIC, ns; to be kept for all of a trial. */
  utcMinusMonoNs(): bigint {
    const now = this.#readDifference();
    const change = now - this.#utcMinusMonoNs;
    if (change > STEP_NS || change < -STEP_NS) this.#utcMinusMonoNs = now;
    return this.#utcMinusMonoNs;
  }

  /** The own CLOCK_MONOTONIC, ns. */
  nowMonoNs(): bigint {
    return this.#clocks.monotonicNs();
  }

  /**
   * Fleet time minus the own CLOCK_MONOTONIC, ns: exact where fleet time is this machine's own
   * clock, else within half of the round trip of the reading.
   */
  fleetMinusMonoNs(reading: FleetReading): bigint {
    if (reading.fleetTime === this.#clocks.name) return 0n;
    return reading.nowFleetNs - (reading.askedAtMonoNs + reading.heardAtMonoNs) / 2n;
  }

  #readDifference(): bigint {
    return this.#clocks.utcNs() - this.#clocks.monotonicNs();
  }
}

function machineClocks(): LineClocks {
  return {
    monotonicNs: () => process.hrtime.bigint(),
    utcNs: () => BigInt(Date.now()) * 1_000_000n,
    name: fleetTimeName(),
  };
}
