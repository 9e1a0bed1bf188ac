import type { Bus } from '../../bus/bus.ts';
import { errorMessageOf, LockstepError } from '../../schemas/errors.ts';
import { toFailure } from '../../schemas/failure.ts';
import type { Failure } from '../../schemas/failure.ts';
import type { PlannedTrial } from '../../schemas/plan.ts';
import { deadlineMs } from '../../schemas/procedure-duration.ts';
import { PROTOCOL_VERSION } from '../../schemas/protocol.ts';
import type { TrialResult } from '../../schemas/result.ts';
import { armMessage, ATTEMPT } from './arm-message.ts';
import type { BarrierDesk } from './barrier-desk.ts';
import type { CommandOutcome } from './device-commands.ts';
import type { Fleet } from './fleet.ts';
import { LookKeeper } from './look-keeper.ts';
import { assertFreeSpace } from '../recording/free-space.ts';
import type { Recorder } from '../recording/recorder.ts';
import type { RunJournal } from '../recording/run-journal.ts';
import { TrialBook } from './trial-book.ts';
import { TrialTiming } from './trial-timing.ts';
import type { TimedRelease } from './trial-timing.ts';
import type { RunTracer, TrialTrace } from '../telemetry/run-tracer.ts';
import { divideIntoWaves } from './waves.ts';

/** Time to arm: the untimed set-up of a trial and a burst of clock probes, ms. */
const ARM_TIMEOUT_MS = 120_000;

/** Time for an acknowledgement of go or stand-down, ms. */
const ACKNOWLEDGE_TIMEOUT_MS = 5000;

/** Time to stand down: sandboxes that are going must be removed, ms. */
const STAND_DOWN_TIMEOUT_MS = 60_000;

/** Time for removing sandboxes and for the result's way to the recorder, ms. */
const RESULT_MARGIN_MS = 45_000;

/** What the dispatcher needs. */
export interface DispatcherPorts {
  readonly bus: Bus;
  readonly fleet: Fleet;
  readonly recorder: Recorder;
  readonly journal: RunJournal;
  readonly barriers: BarrierDesk;
  readonly tracer: RunTracer;
}

/** A trial as one wave of the fleet does it. */
interface WaveTrial {
  readonly trial: PlannedTrial;
  readonly trace: TrialTrace;
  readonly wave: number;
  /** All devices of the wave, prepared or not. */
  readonly deviceIds: readonly string[];
}

interface Armed extends WaveTrial {
  /** Those that armed. */
  readonly armedIds: readonly string[];
  readonly roundTripMaxNs: bigint;
  /** Why none did, if the gang was incomplete. */
  readonly stoodDown?: Failure;
}

/**
 * Takes the trials of one run through arm, go and result, one after the other, every step with a
 * deadline. Each device of the run gets a result for each trial: its own, or one that says why
 * there is none.
 */
export class Dispatcher {
  readonly #ports: DispatcherPorts;
  readonly #timing: TrialTiming;

  constructor(ports: DispatcherPorts) {
    this.#ports = ports;
    this.#timing = new TrialTiming(ports);
  }

  /**
   * Runs all trials, until the signal aborts or the stop rule of the experiment ends the run after
   * a whole repetition.
   *
   * @throws LockstepError DEVICE_LOST if a gang can't be completed any more, STORAGE_FULL or
   * STORAGE_FAILED if results can't be kept.
   */
  async runTrials(trials: readonly PlannedTrial[], signal: AbortSignal): Promise<void> {
    const { journal, tracer, recorder } = this.#ports;
    const keeper = new LookKeeper(journal, trials);
    for (const [index, trial] of trials.entries()) {
      await assertFreeSpace(journal.folder.folder);
      await this.#gather(signal);
      const results = await tracer.traceTrial(trial, recorder, (trace) =>
        this.#runTrial({ trial, trace }, signal),
      );
      if (results === undefined) return;
      keeper.note(trial, results);
      journal.trialDone();
      journal.tell(`trial ${trial.trialId} ${trial.cell.id}`);
      const isBlockDone = trials[index + 1]?.repetition !== trial.repetition;
      if (isBlockDone && (await keeper.isOver(trial.repetition + 1))) return;
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

  /** Resolves with what was reported; undefined if it was not done, as the run was cancelled. */
  async #runTrial(
    traced: Pick<WaveTrial, 'trial' | 'trace'>,
    signal: AbortSignal,
  ): Promise<TrialResult[] | undefined> {
    const { fleet, journal } = this.#ports;
    const { trial } = traced;
    const waves = divideIntoWaves(fleet.deviceIds, journal.run.experiment.waves);
    const reported: TrialResult[] = [];
    let failed = 0;
    // Without one device a gang's trial is worth nothing, so its later waves do not start either.
    let stoodDown: Failure | undefined;
    for (const [wave, deviceIds] of waves.entries()) {
      if (signal.aborted) return undefined;
      const waveTrial = { ...traced, wave, deviceIds };
      if (stoodDown !== undefined) {
        await this.#recordAll(trial, sameFor(deviceIds, stoodDown));
        failed += deviceIds.length;
        continue;
      }
      const { results, reason } = await this.#runWave(waveTrial, signal);
      if (isAborted(signal)) return undefined;
      stoodDown = reason;
      reported.push(...results);
    }
    const ok = reported.filter((result) => result.status === 'ok').length;
    failed += reported.length - ok;
    await journal.event({ event: 'done', trialId: trial.trialId, attempt: ATTEMPT, ok, failed });
    return reported;
  }

  async #runWave(
    waveTrial: WaveTrial,
    signal: AbortSignal,
  ): Promise<{ results: readonly TrialResult[]; reason: Failure | undefined }> {
    const { recorder, journal } = this.#ports;
    const { trial, deviceIds } = waveTrial;
    const book = new TrialBook(deviceIds);
    const stopRecording = recorder.watch({
      onResult: (result) => {
        const { runId, trialId, deviceId } = result;
        const isOfTrial = runId === journal.run.runId && trialId === trial.trialId;
        if (isOfTrial && deviceIds.includes(deviceId)) book.note(result);
      },
      onFailure: (error) => {
        book.giveUp(error);
      },
    });
    try {
      const armed = await waveTrial.trace.step('arm devices', () => this.#arm(waveTrial));
      if (isAborted(signal)) await this.#standDown(armed, cancelled());
      else if (armed.armedIds.length > 0) await this.#go(armed, book, signal);
      return { results: book.results, reason: armed.stoodDown };
    } finally {
      stopRecording();
    }
  }

  async #arm(waveTrial: WaveTrial): Promise<Armed> {
    const { fleet, journal } = this.#ports;
    const { experiment } = journal.run;
    const { trial, wave } = waveTrial;
    const prepared = new Set(fleet.prepared);
    const deviceIds = waveTrial.deviceIds.filter((deviceId) => prepared.has(deviceId));
    const outcomes = await fleet.command(
      { deviceIds, verb: 'arm', timeoutMs: ARM_TIMEOUT_MS, headers: waveTrial.trace.headers },
      (deviceId) =>
        armMessage(this.#ports.journal.run, trial, {
          wave,
          ...this.#timing.probesOf(deviceIds.indexOf(deviceId), deviceIds.length),
        }),
    );
    const failures = this.#refusals(outcomes);
    for (const deviceId of waveTrial.deviceIds) {
      const loss = outcomes.some((outcome) => outcome.deviceId === deviceId)
        ? undefined
        : fleet.lossOf(deviceId);
      if (loss !== undefined) failures.set(deviceId, toFailure(loss));
    }
    const armed: Armed = {
      ...waveTrial,
      armedIds: outcomes.flatMap((outcome) => ('reply' in outcome ? [outcome.deviceId] : [])),
      roundTripMaxNs: this.#timing.noteArmed(outcomes),
    };
    await this.#recordAll(trial, failures);
    if (failures.size === 0 || experiment.gang === 'available') {
      await this.#noteArmed(armed);
      return armed;
    }
    const stoodDown = await this.#standDownGang(armed, failures);
    return { ...armed, armedIds: [], stoodDown };
  }

  async #noteArmed(armed: Armed): Promise<void> {
    await this.#ports.journal.event({
      event: 'armed',
      trialId: armed.trial.trialId,
      attempt: ATTEMPT,
      devices: [...armed.armedIds],
    });
  }

  async #standDownGang(armed: Armed, failures: ReadonlyMap<string, Failure>): Promise<Failure> {
    const [[deviceId, failure] = ['?', undefined]] = failures;
    const reason: Failure = {
      code: 'GANG_INCOMPLETE',
      message: `stood down: ${deviceId} could not be armed: ${failure?.message ?? 'unknown'}`,
    };
    await this.#standDown(armed, reason);
    await this.#recordAll(armed.trial, sameFor(armed.armedIds, reason));
    return reason;
  }

  async #go(armed: Armed, book: TrialBook, signal: AbortSignal): Promise<void> {
    const { fleet, journal, barriers } = this.#ports;
    const { runId, experiment } = journal.run;
    const { trialId } = armed.trial;
    const names = { runId, trialId, attempt: ATTEMPT };
    const chooseLead = (): bigint =>
      this.#timing.leadNs(armed.roundTripMaxNs, armed.armedIds.length);
    const leadNs = chooseLead();
    const instant = await this.#instantOrStandDown(armed, leadNs);
    if (instant === undefined) return;
    const opened = barriers.open(names, {
      deviceIds: armed.armedIds,
      goesOnWithout: experiment.gang === 'available',
      chooseRelease: () => this.#timing.instantAhead(chooseLead()),
    });
    book.onNote = ({ deviceId, failure }) => {
      opened.leave(deviceId, failure?.message ?? 'its trial is over');
    };
    try {
      const { armedIds: deviceIds, trace } = armed;
      const target = { deviceIds, timeoutMs: ACKNOWLEDGE_TIMEOUT_MS, headers: trace.headers };
      const outcomes = await trace.step('go devices', () =>
        fleet.command({ ...target, verb: 'go' }, () => ({ ...names, ...instant })),
      );
      this.#timing.noteGone(leadNs, outcomes);
      await journal.event({
        event: 'gone',
        trialId,
        attempt: ATTEMPT,
        startAtFleetNs: instant.startAtFleetNs.toString(),
      });
      // A device that did not answer may have heard go all the same, so its result is waited for.
      const refusals = this.#refusals(outcomes, 'DEVICE_LOST');
      await this.#recordAll(armed.trial, refusals);
      await trace.step('await results', () => this.#awaitResults(armed, book, signal));
    } finally {
      barriers.close(names);
    }
  }

  /** Without a timekeeper there is no instant: this trial fails, and the run goes on. */
  async #instantOrStandDown(armed: Armed, leadNs: bigint): Promise<TimedRelease | undefined> {
    try {
      return await this.#timing.instantAhead(leadNs);
    } catch (error) {
      const reason: Failure = {
        code: 'CLOCK_UNSYNCHRONISED',
        message: `fleet time could not be read: ${errorMessageOf(error)}`,
        hint: 'Check that the timekeeper runs beside the coordinator.',
      };
      await this.#standDown(armed, reason);
      await this.#recordAll(armed.trial, sameFor(armed.armedIds, reason));
      return undefined;
    }
  }

  async #awaitResults(armed: Armed, book: TrialBook, signal: AbortSignal): Promise<void> {
    const { fleet, journal } = this.#ports;
    const stopWatching = fleet.watch(() => {
      const lost = new Map<string, Failure>();
      for (const deviceId of book.owing) {
        const loss = fleet.lossOf(deviceId);
        if (loss !== undefined) lost.set(deviceId, toFailure(loss));
      }
      const checks = [this.#recordAll(armed.trial, lost), assertFreeSpace(journal.folder.folder)];
      Promise.all(checks).catch((error: unknown) => {
        book.giveUp(error);
      });
    });
    const measuredMs = deadlineMs(journal.run.experiment.procedure, armed.trial.cell.instances);
    try {
      await book.complete(measuredMs + RESULT_MARGIN_MS, signal);
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
    await this.#standDown({ ...armed, armedIds: owing }, reason);
    await this.#recordAll(armed.trial, sameFor(owing, reason));
  }

  async #standDown(armed: Armed, reason: Failure): Promise<void> {
    const { fleet, journal } = this.#ports;
    const { trialId } = armed.trial;
    await fleet.command(
      { deviceIds: armed.armedIds, verb: 'stand-down', timeoutMs: STAND_DOWN_TIMEOUT_MS },
      () => ({ runId: journal.run.runId, trialId, attempt: ATTEMPT, reason }),
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
        barriers: [],
        instances: [],
        sandboxDetails: {},
      };
      if (await recorder.record(result)) journal.tell(`${deviceId}: ${failure.message}`, failure);
    }
  }
}

function sameFor(deviceIds: readonly string[], failure: Failure): Map<string, Failure> {
  return new Map(deviceIds.map((deviceId) => [deviceId, failure]));
}

/** A signal may have aborted since it was last looked at, which the compiler does not see. */
function isAborted(signal: AbortSignal): boolean {
  return signal.aborted;
}

function cancelled(): Failure {
  return { code: 'CANCELLED', message: 'the run was cancelled' };
}
