import type { Bus } from '../../bus/bus.ts';
import { LockstepError } from '../../schemas/errors.ts';
import { TimeProbe, TimeReply } from '../../schemas/messages.ts';
import { decodeMessage, encodeMessage } from '../../schemas/protocol.ts';
import type { ClockEstimate } from '../../schemas/result.ts';
import { timeSubject } from '../../schemas/subjects.ts';
import type { Clock } from './clock.ts';
import { boundAt, estimateOffset } from './offset-estimator.ts';
import type { OffsetEstimate, ProbeExchange } from './offset-estimator.ts';

/** Probes per burst. More shrink the effect of jitter, with a diminishing return. */
const PROBES_PER_BURST = 16;

/** Fewest answers that make an estimate. */
const ANSWERS_MIN = 4;

const PROBE_TIMEOUT_MS = 1000;

/** An estimate together with the clock that it is about. */
export interface FleetOffset extends OffsetEstimate {
  /** Name of the clock that is fleet time. */
  readonly fleetTime: string;
}

/** Finds out how this device's clock stands to fleet time, by bursts of probes over the bus. */
export class Synchroniser {
  readonly #bus: Bus;
  readonly #clock: Clock;
  readonly #subject: string;

  constructor(bus: Bus, clock: Clock, deviceId: string) {
    this.#bus = bus;
    this.#clock = clock;
    this.#subject = timeSubject(deviceId);
  }

  /**
   * One burst of probes.
   *
   * @throws LockstepError CLOCK_UNSYNCHRONISED if too few are answered, if they contradict each
   * other, or if the timekeeper changed in between.
   */
  async measure(): Promise<FleetOffset> {
    const probe = new TextEncoder().encode(JSON.stringify(encodeMessage(TimeProbe, {})));
    const exchanges: ProbeExchange[] = [];
    const fleetTimes = new Set<string>();
    let lastError: unknown;
    for (let index = 0; index < PROBES_PER_BURST; index += 1) {
      try {
        const { exchange, fleetTime } = await this.#exchange(probe);
        exchanges.push(exchange);
        fleetTimes.add(fleetTime);
      } catch (error) {
        lastError = error;
        // Without a first answer there is nobody to wait for fifteen more times.
        if (exchanges.length === 0 && index >= 1) break;
      }
    }
    const [fleetTime, other] = fleetTimes;
    if (fleetTime === undefined || exchanges.length < ANSWERS_MIN) {
      throw new LockstepError(
        'CLOCK_UNSYNCHRONISED',
        `only ${exchanges.length} of ${PROBES_PER_BURST} clock probes were answered`,
        { cause: lastError, hint: 'Check that the timekeeper runs beside the coordinator.' },
      );
    }
    if (other !== undefined) {
      throw new LockstepError(
        'CLOCK_UNSYNCHRONISED',
        `fleet time changed from ${fleetTime} to ${other} during the probes`,
        { hint: 'Only one timekeeper may run; the next trial is synchronised anew.' },
      );
    }
    return { ...estimateOffset(exchanges), fleetTime };
  }

  async #exchange(probe: Uint8Array): Promise<{ exchange: ProbeExchange; fleetTime: string }> {
    const sentAtMonoNs = this.#clock.monotonicNs();
    const bytes = await this.#bus.requestRaw(this.#subject, probe, PROBE_TIMEOUT_MS);
    const returnedAtMonoNs = this.#clock.monotonicNs();
    const reply = decodeMessage(
      TimeReply,
      JSON.parse(new TextDecoder().decode(bytes)),
      'the timekeeper',
    );
    const { receivedAtFleetNs, answeredAtFleetNs, fleetTime } = reply;
    return {
      exchange: { sentAtMonoNs, receivedAtFleetNs, answeredAtFleetNs, returnedAtMonoNs },
      fleetTime,
    };
  }
}

/** The estimate as it stands in messages and results, for use at an instant on the own clock. */
export function clockEstimateAt(offset: FleetOffset, atMonoNs: bigint): ClockEstimate {
  return {
    fleetTime: offset.fleetTime,
    offsetNs: offset.offsetNs,
    boundNs: boundAt(offset, atMonoNs),
    ageNs: atMonoNs - offset.atMonoNs,
    probes: offset.probes,
    roundTripMinNs: offset.roundTripMinNs,
  };
}
