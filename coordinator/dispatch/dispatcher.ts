import type { Bus } from '../../bus/bus.ts';
import { LockstepError } from '../../schemas/errors.ts';
import { toFailure } from '../../schemas/failure.ts';
import type { Failure } from '../../schemas/failure.ts';
import type { PlannedTrial } from '../../schemas/plan.ts';
import { PROTOCOL_VERSION } from '../../schemas/protocol.ts';
import type { TrialResult } from '../../schemas/result.ts';
import { NS_PER_MS } from '../../schemas/units.ts';
import type { CommandOutcome } from './device-commands.ts';
import type { Fleet } from './fleet.ts';
import { readFleetClock } from './fleet-clock.ts';
import type { Recorder } from '../recording/recorder.ts';
import type { RunJournal } from '../recording/run-journal.ts';
import { TrialBook } from './trial-book.ts';

/** Time to arm: the untimed set-up of a trial and a burst of clock probes, ms. */
const ARM_TIMEOUT_MS = 120_000;

/** Time for an acknowledgement of go or stand-down, ms. */
const ACKNOWLEDGE_TIMEOUT_MS = 5000;

/** Time to stand down: sandboxes that are going must be removed, ms. */
const STAND_DOWN_TIMEOUT_MS = 60_000;

/** Time for removing sandboxes and for the result's way to the recorder, ms. */
const RESULT_MARGIN_MS = 45_000;

/** Shortest time from go to the start, ns, for scheduling delays on a busy device. */
const LEAD_MIN_NS = 100n * NS_PER_MS;

/** Lead per round trip of the slowest device: go's way, and two more for delays on the way. */
const LEAD_ROUND_TRIPS = 3n;

const ATTEMPT = 1;

/** What the dispatcher needs. */
export interface DispatcherPorts {
  readonly bus: Bus;
  readonly fleet: Fleet;
  readonly recorder: Recorder;
  readonly journal: RunJournal;
}

interface Armed {
  readonly trial: PlannedTrial;
  readonly deviceIds: readonly string[];
  readonly roundTripMaxNs: bigint;
}

/**
 * Takes the trials of one run through arm, go and result, one after the other, every step with a
 * deadline. Each device of the run gets a result for each trial: its own, or one that says why
 * there is none.
 */
export class Dispatcher {
  readonly #ports: DispatcherPorts;

  constructor(ports: DispatcherPorts) {
    this.#ports = ports;
  }

  /**
   * Runs all trials, until the signal aborts.
   *
   * @throws LockstepError DEVICE_LOST if a gang can't be completed any more, STORAGE_FULL or
   * STORAGE_FAILED if results can't be kept.
   */
  async runTrials(trials: readonly PlannedTrial[], signal: AbortSignal): Promise<void> {
    const { journal } = this.#ports;
    for (const trial of trials) {
      await this.#gather(signal);
      if (await this.#runTrial(trial, signal)) journal.trialDone();
      else return;
      journal.tell(`trial ${trial.trialId} ${trial.cell.id}`);
    }
  }

  async #gather(signal: AbortSignal): Promise<void> {
    const { fleet, journal } = this.#ports;
    const { experiment } = journal.run;
    if (experiment.gang === 'available') {
      await fleet.welcomeBack();
      if (fleet.prepared.length >= experiment.devices.minimum) return;
    }
    const missing = await fleet.recover(signal, (deviceIds) => {
      journal.tell(`waiting for ${deviceIds.join(', ')} to come back`);
    });
    const enough =
      experiment.gang === 'available' && fleet.prepared.length >= experiment.devices.minimum;
    if (missing.length === 0 || enough || signal.aborted) return;
    throw new LockstepError('DEVICE_LOST', `lost for good: ${missing.join(', ')}`, {
      hint: 'Repair the device and start the run again, or use gang: available.',
    });
  }

  /** Resolves with false if the trial was not done because the run was cancelled. */
  async #runTrial(trial: PlannedTrial, signal: AbortSignal): Promise<boolean> {
    if (signal.aborted) return false;
    const { fleet, recorder, journal } = this.#ports;
    const everyone = [...fleet.deviceIds];
    const book = new TrialBook(everyone);
    const stopRecording = recorder.watch({
      onResult: (result) => {
        const { runId, trialId } = result;
        if (runId === journal.run.runId && trialId === trial.trialId) book.note(result);
      },
      onFailure: (error) => {
        book.giveUp(error);
      },
    });
    try {
      const armed = await this.#arm(trial);
      if (isAborted(signal)) await this.#standDown(armed, cancelled());
      else if (armed.deviceIds.length > 0) await this.#go(armed, book, signal);
    } finally {
      stopRecording();
    }
    if (isAborted(signal)) return false;
    const ok = book.results.filter((result) => result.status === 'ok').length;
    await journal.event({
      event: 'done',
      trialId: trial.trialId,
      attempt: ATTEMPT,
      ok,
      failed: book.results.length - ok,
    });
    return true;
  }

  async #arm(trial: PlannedTrial): Promise<Armed> {
    const { fleet, journal } = this.#ports;
    const { experiment, runId } = journal.run;
    const outcomes = await fleet.command(
      { deviceIds: fleet.prepared, verb: 'arm', timeoutMs: ARM_TIMEOUT_MS },
      {
        runId,
        trialId: trial.trialId,
        attempt: ATTEMPT,
        cell: trial.cell,
        procedure: experiment.procedure.kind,
        readyTimeoutMs: experiment.procedure.readyTimeoutMs,
        latenessBudgetNs: msToNs(experiment.budget.latenessMs),
        clockBoundBudgetNs: msToNs(experiment.budget.clockBoundMs),
      },
    );
    const failures = this.#refusals(outcomes);
    for (const deviceId of fleet.deviceIds) {
      const loss = outcomes.some((outcome) => outcome.deviceId === deviceId)
        ? undefined
        : fleet.lossOf(deviceId);
      if (loss !== undefined) failures.set(deviceId, toFailure(loss));
    }
    const armed: Armed = {
      trial,
      deviceIds: outcomes.flatMap((outcome) => ('reply' in outcome ? [outcome.deviceId] : [])),
      roundTripMaxNs: outcomes.reduce(
        (most, outcome) => ('reply' in outcome ? maxOf(most, outcome.reply.clock) : most),
        0n,
      ),
    };
    await this.#recordAll(trial, failures);
    if (failures.size === 0 || experiment.gang === 'available') {
      await this.#noteArmed(armed);
      return armed;
    }
    await this.#standDownGang(armed, failures);
    return { ...armed, deviceIds: [] };
  }

  async #noteArmed(armed: Armed): Promise<void> {
    await this.#ports.journal.event({
      event: 'armed',
      trialId: armed.trial.trialId,
      attempt: ATTEMPT,
      devices: [...armed.deviceIds],
    });
  }

  async #standDownGang(armed: Armed, failures: ReadonlyMap<string, Failure>): Promise<void> {
    const [[deviceId, failure] = ['?', undefined]] = failures;
    const reason: Failure = {
      code: 'GANG_INCOMPLETE',
      message: `stood down: ${deviceId} could not be armed: ${failure?.message ?? 'unknown'}`,
    };
    await this.#standDown(armed, reason);
    await this.#recordAll(
      armed.trial,
      new Map(armed.deviceIds.map((standing) => [standing, reason])),
    );
  }

  async #go(armed: Armed, book: TrialBook, signal: AbortSignal): Promise<void> {
    const { bus, fleet, journal } = this.#ports;
    const { trialId } = armed.trial;
    const { fleetTime, nowFleetNs } = await readFleetClock(bus);
    if (journal.run.fleetTime !== fleetTime) await journal.update({ fleetTime });
    const leadNs = LEAD_MIN_NS + LEAD_ROUND_TRIPS * armed.roundTripMaxNs;
    const startAtFleetNs = nowFleetNs + leadNs;
    const outcomes = await fleet.command(
      { deviceIds: armed.deviceIds, verb: 'go', timeoutMs: ACKNOWLEDGE_TIMEOUT_MS },
      { runId: journal.run.runId, trialId, attempt: ATTEMPT, startAtFleetNs },
    );
    await journal.event({
      event: 'gone',
      trialId,
      attempt: ATTEMPT,
      startAtFleetNs: startAtFleetNs.toString(),
    });
    // A device that did not answer may have heard go all the same, so its result is waited for.
    const refusals = this.#refusals(outcomes, 'DEVICE_LOST');
    await this.#recordAll(armed.trial, refusals);
    await this.#awaitResults(armed, book, signal);
  }

  async #awaitResults(armed: Armed, book: TrialBook, signal: AbortSignal): Promise<void> {
    const { fleet, journal } = this.#ports;
    const stopWatching = fleet.watch(() => {
      const lost = new Map<string, Failure>();
      for (const deviceId of book.owing) {
        const loss = fleet.lossOf(deviceId);
        if (loss !== undefined) lost.set(deviceId, toFailure(loss));
      }
      this.#recordAll(armed.trial, lost).catch((error: unknown) => {
        book.giveUp(error);
      });
    });
    const { readyTimeoutMs } = journal.run.experiment.procedure;
    try {
      await book.complete(2 * readyTimeoutMs + RESULT_MARGIN_MS, signal);
    } finally {
      stopWatching();
    }
    if (signal.aborted) {
      await this.#standDown(armed, cancelled());
      return;
    }
    if (book.owing.length === 0) return;
    const reason: Failure = {
      code: 'DEADLINE_EXCEEDED',
      message: 'no result came within the deadline',
      hint: "Look at the device's log.",
    };
    const owing = book.owing;
    await this.#standDown({ ...armed, deviceIds: owing }, reason);
    await this.#recordAll(armed.trial, new Map(owing.map((deviceId) => [deviceId, reason])));
  }

  async #standDown(armed: Armed, reason: Failure): Promise<void> {
    const { fleet, journal } = this.#ports;
    const { trialId } = armed.trial;
    await fleet.command(
      { deviceIds: armed.deviceIds, verb: 'stand-down', timeoutMs: STAND_DOWN_TIMEOUT_MS },
      { runId: journal.run.runId, trialId, attempt: ATTEMPT, reason },
    );
    await journal.event({ event: 'stood-down', trialId, attempt: ATTEMPT, reason });
  }

  #refusals(
    outcomes: readonly CommandOutcome<'arm' | 'go'>[],
    except?: string,
  ): Map<string, Failure> {
    const failures = new Map<string, Failure>();
    for (const outcome of outcomes) {
      if ('reply' in outcome || outcome.error.code === except) continue;
      failures.set(outcome.deviceId, toFailure(outcome.error));
    }
    return failures;
  }

  async #recordAll(trial: PlannedTrial, failures: ReadonlyMap<string, Failure>): Promise<void> {
    const { recorder, journal } = this.#ports;
    for (const [deviceId, failure] of failures) {
      const result: TrialResult = {
        protocol: PROTOCOL_VERSION,
        runId: journal.run.runId,
        trialId: trial.trialId,
        attempt: ATTEMPT,
        deviceId,
        cell: trial.cell,
        reportedBy: 'coordinator',
        status: 'failed',
        failure,
        invalid: [],
        instances: [],
        sandboxDetails: {},
      };
      if (await recorder.record(result)) journal.tell(`${deviceId}: ${failure.message}`, failure);
    }
  }
}

/** A signal may have aborted since it was last looked at, which the compiler does not see. */
function isAborted(signal: AbortSignal): boolean {
  return signal.aborted;
}

function cancelled(): Failure {
  return { code: 'CANCELLED', message: 'the run was cancelled' };
}

function msToNs(valueMs: number): bigint {
  return BigInt(Math.round(valueMs * 1e6));
}

function maxOf(most: bigint, clock: { roundTripMinNs: bigint }): bigint {
  return clock.roundTripMinNs > most ? clock.roundTripMinNs : most;
}
