import { NS_PER_MS, NS_PER_SECOND } from '../../schemas/units.ts';

/** Time from go to the start before anything is known of the fleet, ns. */
const LEAD_FIRST_NS = 100n * NS_PER_MS;

/** What sending go to one device takes the coordinator before anything is known, ns. */
const LEAD_PER_DEVICE_NS = NS_PER_MS / 2n;

const LEAD_MIN_NS = 15n * NS_PER_MS;
const LEAD_MAX_NS = 20n * NS_PER_SECOND;

/** For the way from the agent to its measuring process, and its sleep before the busy wait, ns. */
const LOCAL_NS = 10n * NS_PER_MS;

/** Trials that are looked back on. */
const TRIALS_MAX = 16;

/** Round trips of the slowest device that a lead has room for: a packet may be sent again. */
const ROUND_TRIPS = 3n;

/**
 * Chooses how far ahead of now an instant is set, from what the fleet needed lately: the time that
 * the slowest device's go took, twice, because delays vary.
 */
export class Lead {
  readonly #neededNs: bigint[] = [];

  /**
   * The lead of the next trial, ns.
   *
   * @param roundTripMaxNs of the slowest device, by its clock probes.
   * @param devices that are told; the last one is told late in a large fleet.
   */
  next(roundTripMaxNs: bigint, devices = 0): bigint {
    const leastNs = max(LEAD_MIN_NS, ROUND_TRIPS * roundTripMaxNs + LOCAL_NS);
    if (this.#neededNs.length === 0) {
      const firstNs = max(LEAD_FIRST_NS, leastNs) + BigInt(devices) * LEAD_PER_DEVICE_NS;
      return min(firstNs, LEAD_MAX_NS);
    }
    const worstNs = this.#neededNs.reduce(max);
    const wantedNs = 2n * worstNs + LOCAL_NS;
    return min(max(wantedNs, leastNs), LEAD_MAX_NS);
  }

  /**
   * Takes in how a trial went.
   *
   * @param leadNs what it was given.
   * @param marginsNs the time that was left when go arrived, per device.
   * @param isLate true if a device declined because it was too late.
   */
  note(leadNs: bigint, marginsNs: readonly bigint[], isLate: boolean): void {
    const needed = marginsNs.map((marginNs) => leadNs - marginNs);
    if (isLate) needed.push(leadNs);
    if (needed.length === 0) return;
    this.#neededNs.push(needed.reduce(max));
    if (this.#neededNs.length > TRIALS_MAX) this.#neededNs.shift();
  }
}

function max(left: bigint, right: bigint): bigint {
  return left > right ? left : right;
}

function min(left: bigint, right: bigint): bigint {
  return left < right ? left : right;
}
