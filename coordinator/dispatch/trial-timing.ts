import type { Bus } from '../../bus/bus.ts';
import type { RunJournal } from '../recording/run-journal.ts';
import type { RunTracer } from '../telemetry/run-tracer.ts';
import type { Release } from './barrier-desk.ts';
import type { CommandOutcome } from './device-commands.ts';
import { readFleetClock } from './fleet-clock.ts';
import { Lead } from './lead.ts';
import { ProbeStagger } from './probe-stagger.ts';

/** What it needs. */
export interface TrialTimingPorts {
  readonly bus: Bus;
  readonly journal: RunJournal;
  readonly tracer: RunTracer;
}

/** An instant ahead, and how it is exported. */
export interface TimedRelease extends Release {
  /** UTC minus fleet time, ns, as the coordinator's spans have it. */
  readonly utcMinusFleetNs: bigint;
}

/** How a device probes its clock in a trial. */
export interface ProbeTiming {
  readonly probesMax: number;
  readonly probeDelayMs: number;
}

/** Chooses the instants of a run's trials, and learns from each how much time the fleet needs. */
export class TrialTiming {
  readonly #ports: TrialTimingPorts;
  readonly #lead = new Lead();
  readonly #stagger = new ProbeStagger();

  constructor(ports: TrialTimingPorts) {
    this.#ports = ports;
  }

  /** How the n-th of so many devices that arm together probes its clock. */
  probesOf(index: number, count: number): ProbeTiming {
    const probesMax = this.#stagger.probesMax(count);
    return { probesMax, probeDelayMs: this.#stagger.delayMs(index, count) };
  }

  /** Takes in how devices armed; returns the longest round trip of those that did, ns. */
  noteArmed(outcomes: readonly CommandOutcome<'arm'>[]): bigint {
    let roundTripMaxNs = 0n;
    for (const outcome of outcomes) {
      if (!('reply' in outcome)) continue;
      const { roundTripMinNs, burstNs } = outcome.reply.clock;
      this.#stagger.note(burstNs);
      if (roundTripMinNs > roundTripMaxNs) roundTripMaxNs = roundTripMinNs;
    }
    return roundTripMaxNs;
  }

  /** How far ahead an instant is to be, ns. */
  leadNs(roundTripMaxNs: bigint, devices: number): bigint {
    return this.#lead.next(roundTripMaxNs, devices);
  }

  /** Takes in how much of a lead was left when go arrived. */
  noteGone(leadNs: bigint, outcomes: readonly CommandOutcome<'go'>[]): void {
    const margins = outcomes.flatMap((outcome) =>
      'reply' in outcome ? [outcome.reply.marginNs] : [],
    );
    const isLate = outcomes.some(
      (outcome) => 'error' in outcome && outcome.error.code === 'START_LATE',
    );
    this.#lead.note(leadNs, margins, isLate);
  }

  /**
   * An instant so far ahead.
   *
   * @throws LockstepError if the timekeeper does not answer.
   */
  async instantAhead(leadNs: bigint): Promise<TimedRelease> {
    const { bus, journal, tracer } = this.#ports;
    const reading = await readFleetClock(bus);
    const { fleetTime, nowFleetNs } = reading;
    if (journal.run.fleetTime !== fleetTime) await journal.update({ fleetTime });
    const utcMinusFleetNs = tracer.utcMinusFleetNs(reading);
    return { fleetTime, startAtFleetNs: nowFleetNs + leadNs, utcMinusFleetNs };
  }
}
