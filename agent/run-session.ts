import type { Logger } from 'pino';
import { errorMessageOf, LockstepError } from '../schemas/errors.ts';
import { toFailure } from '../schemas/failure.ts';
import type { Failure } from '../schemas/failure.ts';
import type {
  ArmReply,
  ArmRequest,
  BarrierReply,
  BarrierRequest,
  GoRequest,
  PrepareRequest,
} from '../schemas/messages.ts';
import { Procedure } from '../schemas/procedure.ts';
import { deadlineMs } from '../schemas/procedure-duration.ts';
import { PROTOCOL_VERSION } from '../schemas/protocol.ts';
import type { TrialResult } from '../schemas/result.ts';
import type { SandboxAvailability } from '../schemas/sandbox.ts';
import { NS_PER_MS, NS_PER_SECOND, nanosecondsToMs } from '../schemas/units.ts';
import { runnerEquipment } from './artefacts.ts';
import type { Equipment } from './artefacts.ts';
import type { Clock } from './clock/clock.ts';
import type { DeviceTelemetry, TraceHeaders } from './device-telemetry.ts';
import type { Synchroniser } from './clock/synchroniser.ts';
import { exportedUtcMinusMonoNs, sampleOrder } from './sample-order.ts';
import { RunSampling } from './run-sampling.ts';
import type { BarrierArrival, RunnerPort } from './runner/port.ts';
import type { RunnerResult } from './runner/protocol.ts';
import { TrialClock } from './trial-clock.ts';
import { marksOf } from './trial-marks.ts';

const SET_UP_TIMEOUT_MS = 60_000;
const ARM_TIMEOUT_MS = 100_000;
const STAND_DOWN_TIMEOUT_MS = 50_000;
const RELEASE_TIMEOUT_MS = 5000;

/** Time for removing sandboxes after a trial, ms. */
const TEARDOWN_MARGIN_MS = 40_000;

/** An instant further ahead than this is a mistake, ns. */
const LEAD_MAX_NS = 60n * NS_PER_SECOND;

/** What a session needs of its agent. */
export interface SessionPorts {
  readonly deviceId: string;
  /** Name of this agent's cgroups; see {@link cgroupNameOf}. */
  readonly cgroupName: string;
  /** Folder that the runner mounts its private file system on. */
  readonly scratchFolder: string;
  readonly clock: Clock;
  readonly synchroniser: Synchroniser;
  readonly artefacts: {
    equip(
      digests: readonly string[],
      guestKernelDigest: string | undefined,
      toolDigests?: Readonly<Record<string, string>>,
    ): Promise<Equipment>;
  };
  readonly startRunner: () => Promise<RunnerPort>;
  /** Finds out whether kinds of sandbox work here. Never fails. */
  readonly probe: (sandboxes: readonly string[]) => Promise<SandboxAvailability[]>;
  /** Scheduling class that a runner gets, and why it is no real-time class; absent if it is. */
  readonly schedulingClass: string;
  readonly schedulingReason: string | undefined;
  /** Tells the coordinator of an arrival at a barrier; resolves with the instant of going on. */
  readonly askBarrier: (request: Omit<BarrierRequest, 'protocol'>) => Promise<BarrierReply>;
  readonly telemetry: DeviceTelemetry;
  readonly logger: Logger;
  /** Takes a result; resolves when it is safe from a crash of this process. */
  readonly keep: (result: TrialResult) => Promise<void>;
}

interface ArmedTrial {
  readonly request: ArmRequest;
  readonly clock: TrialClock;
  readonly sandboxDetails: Record<string, string>;
  readonly headers: TraceHeaders;
  /** CLOCK_MONOTONIC, ns. */
  readonly armedAtMonoNs: bigint;
  /** Set once go was accepted; resolves when the result is kept. */
  going?: Promise<void>;
  /** Set when the coordinator gave the trial up: then there is no result to report. */
  isStoodDown: boolean;
}

interface Target {
  readonly targetFleetNs: bigint;
  readonly targetMonoNs: bigint;
  /** Absent: the coordinator did not say. */
  readonly utcMinusFleetNs: bigint | undefined;
}

/** What a session samples if the coordinator is of a release that does not say. */
const NO_SAMPLES = { rateHz: 0, live: false };

/** One run as one device serves it: a runner of its own, and one trial at a time. */
export class RunSession {
  readonly runId: string;
  readonly #request: PrepareRequest;
  readonly #ports: SessionPorts;
  readonly #runner: RunnerPort;
  readonly #schedulingClass: string;
  readonly #sampling: RunSampling;
  #trial: ArmedTrial | undefined;

  private constructor(
    request: PrepareRequest,
    ports: SessionPorts,
    started: { runner: RunnerPort; schedulingClass: string },
  ) {
    this.runId = request.runId;
    this.#request = request;
    this.#ports = ports;
    this.#runner = started.runner;
    this.#schedulingClass = started.schedulingClass;
    this.#sampling = new RunSampling(request.telemetry ?? NO_SAMPLES, ports.telemetry);
    this.#runner.onBarrier = (arrival) => {
      void this.#passBarrier(arrival);
    };
  }

  /**
   * Fetches what the run needs and starts its runner.
   *
   * @throws LockstepError if an artefact can't be had or the runner can't be set up.
   */
  static async open(request: PrepareRequest, ports: SessionPorts): Promise<RunSession> {
    const digests = request.functions.map(({ digest }) => digest);
    const tools = Object.fromEntries(
      (request.tools ?? []).map(({ name, digest }) => [name, digest] as const),
    );
    const equipment = await ports.artefacts.equip(digests, request.guestKernelDigest, tools);
    const runner = await ports.startRunner();
    try {
      const { schedulingClass } = await runner.call(
        'setUp',
        {
          cgroupName: ports.cgroupName,
          scratchFolder: ports.scratchFolder,
          ...runnerEquipment(equipment),
          limits: request.limits,
        },
        SET_UP_TIMEOUT_MS,
      );
      const session = new RunSession(request, ports, { runner, schedulingClass });
      await session.#sampling.warmUp();
      return session;
    } catch (error) {
      await runner.close();
      throw error;
    }
  }

  /** False once the runner is gone, by a crash or because it had to be killed. */
  get isAlive(): boolean {
    return this.#runner.isAlive;
  }

  /**
   * Does all of a trial that is not timed, then synchronises the clock.
   *
   * @throws LockstepError AGENT_BUSY, what the runner throws, or CLOCK_UNSYNCHRONISED if the bound
   * is over the budget of the experiment.
   */
  async arm(request: ArmRequest, headers: TraceHeaders = {}): Promise<ArmReply> {
    if (this.#trial !== undefined) {
      throw new LockstepError(
        'AGENT_BUSY',
        `trial ${this.#trial.request.trialId} is still armed or going on this device`,
      );
    }
    const { trialId, cell, seed = 0 } = request;
    const parameters = parametersOf(request);
    const armedAtMonoNs = this.#ports.clock.monotonicNs();
    const { sandboxDetails, targets } = await this.#runner.call(
      'arm',
      { trialId, cell, parameters, seed, isSampled: this.#sampling.isWanted },
      ARM_TIMEOUT_MS,
    );
    // What is sent from now on would disturb the probes, and later the trial.
    this.#ports.telemetry.beginTrial(headers, this.#request.telemetry?.live === true);
    try {
      await this.#sampling.open(sampleOrder(this.#request, request, this.#ports, targets));
      const clock = await TrialClock.open(this.#ports, request);
      const parts = { request, clock, sandboxDetails, headers, armedAtMonoNs };
      this.#trial = { ...parts, isStoodDown: false };
      return { protocol: PROTOCOL_VERSION, clock: clock.estimate };
    } catch (error) {
      await this.#standDownRunner(trialId, toFailure(error));
      await this.#endTelemetry();
      throw error;
    }
  }

  /**
   * Starts the armed trial at an instant; returns the time left until it, ns.
   *
   * @throws LockstepError START_LATE if the instant has passed, CLOCK_STEPPED or CLOCK_CHANGED if
   * the clock is not the one that was measured any more; the trial is stood down then.
   */
  async go(request: GoRequest): Promise<bigint> {
    const trial = this.#trial;
    if (trial?.request.trialId !== request.trialId || trial.going !== undefined) {
      throw new LockstepError('NOT_FOUND', `trial ${request.trialId} is not armed on this device`);
    }
    try {
      trial.clock.check(request.fleetTime);
      const targetMonoNs = trial.clock.toMonotonic(request.startAtFleetNs);
      const marginNs = targetMonoNs - this.#ports.clock.monotonicNs();
      if (marginNs < 0n || marginNs > LEAD_MAX_NS) throw badMargin(request.trialId, marginNs);
      const { startAtFleetNs: targetFleetNs, utcMinusFleetNs } = request;
      this.#sampling.begin(() =>
        exportedUtcMinusMonoNs(this.#ports.clock, trial.clock.estimate, utcMinusFleetNs),
      );
      trial.going = this.#measure(trial, { targetFleetNs, targetMonoNs, utcMinusFleetNs });
      return marginNs;
    } catch (error) {
      await this.standDown(request.trialId, toFailure(error));
      throw error;
    }
  }

  /** Gives a trial up: it is cleaned up, and no result of it is reported. */
  async standDown(trialId: string, reason: Failure): Promise<void> {
    const trial = this.#trial;
    if (trial?.request.trialId !== trialId) return;
    trial.isStoodDown = true;
    await this.#standDownRunner(trialId, reason);
    await trial.going;
    await this.#endTelemetry();
    this.#trial = undefined;
  }

  /** Ends the session: what is armed or going is given up, and the runner ends. */
  async close(): Promise<void> {
    const trial = this.#trial;
    if (trial !== undefined) {
      await this.standDown(trial.request.trialId, {
        code: 'CANCELLED',
        message: 'the device ends the run',
      });
    }
    await this.#runner.close();
    await this.#sampling.close();
    this.#ports.telemetry.endTrial();
  }

  async #endTelemetry(): Promise<void> {
    await this.#sampling.abandon();
    this.#ports.telemetry.endTrial();
  }

  async #standDownRunner(trialId: string, reason: Failure): Promise<void> {
    try {
      await this.#runner.call('standDown', { trialId, reason }, STAND_DOWN_TIMEOUT_MS);
    } catch (error) {
      // Everything of a runner that does not answer is in its namespaces and ends with it.
      this.#ports.logger.warn({ trialId, error }, 'runner did not stand down: killed');
      this.#runner.kill();
    }
  }

  async #passBarrier({ trialId, name }: BarrierArrival): Promise<void> {
    const trial = this.#trial;
    if (trial?.request.trialId !== trialId) return;
    const { runId, attempt } = trial.request;
    let answer: { targetMonoNs: bigint } | { failure: Failure };
    try {
      const reply = await this.#ports.askBarrier({ runId, trialId, attempt, name });
      trial.clock.check(reply.fleetTime);
      answer = { targetMonoNs: trial.clock.toMonotonic(reply.startAtFleetNs) };
    } catch (error) {
      answer = { failure: toFailure(error) };
    }
    try {
      await this.#runner.call('release', { trialId, name, ...answer }, RELEASE_TIMEOUT_MS);
    } catch (error) {
      this.#ports.logger.warn({ trialId, name, error: errorMessageOf(error) }, 'not released');
    }
  }

  async #measure(trial: ArmedTrial, target: Target): Promise<void> {
    const { trialId, cell } = trial.request;
    const measuredMs = deadlineMs(parametersOf(trial.request), cell.instances);
    let result: TrialResult;
    let finals: RunnerResult<'start'>['finals'] = [];
    try {
      const outcome = await this.#runner.call(
        'start',
        { trialId, targetMonoNs: target.targetMonoNs },
        Number(LEAD_MAX_NS / NS_PER_MS) + measuredMs + TEARDOWN_MARGIN_MS,
      );
      finals = outcome.finals;
      result = await this.#resultOf(trial, outcome, target);
    } catch (error) {
      result = { ...this.#emptyResult(trial), status: 'failed', failure: toFailure(error) };
    }
    if (!trial.isStoodDown) await this.#conclude(trial, result, { finals, target });
  }

  async #conclude(
    trial: ArmedTrial,
    measured: TrialResult,
    rest: { finals: RunnerResult<'start'>['finals']; target: Target },
  ): Promise<void> {
    const { telemetry, keep, clock } = this.#ports;
    const utcMinusMonoNs = exportedUtcMinusMonoNs(
      clock,
      measured.clock ?? trial.clock.estimate,
      rest.target.utcMinusFleetNs,
    );
    const sampled = await this.#sampling.end(rest.finals, utcMinusMonoNs);
    const result = sampled === undefined ? measured : { ...measured, telemetry: sampled };
    // Before the coordinator can have the result: its span encloses this one.
    const endedAtMonoNs = clock.monotonicNs();
    await keep(result);
    this.#trial = undefined;
    const { request, headers, armedAtMonoNs } = trial;
    const times = { armedAtMonoNs, endedAtMonoNs, utcMinusMonoNs };
    telemetry.traceTrial({ request, headers, ...times, result });
    telemetry.endTrial();
  }

  async #resultOf(
    trial: ArmedTrial,
    outcome: RunnerResult<'start'>,
    target: Target,
  ): Promise<TrialResult> {
    const { actualMonoNs, startedAtUtcNs, instances, leftovers } = outcome;
    const { longestPauseNs, barriers, measurements, conditions } = outcome;
    const latenessNs = actualMonoNs - target.targetMonoNs;
    // A trial that was given up has no result that a second burst could be for.
    const { clock, clockMarks } = trial.isStoodDown
      ? { clock: trial.clock.estimateBefore(actualMonoNs), clockMarks: [] }
      : await trial.clock.bracket(actualMonoNs);
    const stepNs = trial.clock.stepNs();
    const signs = { latenessNs, boundNs: clock.boundNs, longestPauseNs, stepNs };
    const failed = instances.find((instance) => instance.status === 'failed');
    const { schedulingReason } = this.#ports;
    return {
      ...this.#emptyResult(trial),
      status: failed === undefined ? 'ok' : 'failed',
      ...(failed?.failure === undefined ? {} : { failure: failed.failure }),
      invalid: [
        ...marksOf(trial.request, { ...signs, barriers, leftovers, clockMarks }),
        ...(outcome.invalid ?? []),
      ],
      clock,
      start: {
        targetFleetNs: target.targetFleetNs,
        targetMonoNs: target.targetMonoNs,
        actualMonoNs,
        latenessNs,
        schedulingClass: this.#schedulingClass,
        ...(schedulingReason === undefined ? {} : { schedulingReason }),
        wave: trial.request.wave,
        startedAtUtcNs,
      },
      barriers,
      instances,
      ...(measurements === undefined ? {} : { measurements }),
      ...(conditions === undefined ? {} : { conditions }),
    };
  }

  #emptyResult(trial: ArmedTrial): TrialResult {
    const { runId, trialId, attempt, cell } = trial.request;
    const functionDigest = this.#request.functions.find(
      ({ name }) => name === cell.function,
    )?.digest;
    return {
      protocol: PROTOCOL_VERSION,
      runId,
      trialId,
      attempt,
      deviceId: this.#ports.deviceId,
      cell,
      reportedBy: 'device',
      status: 'ok',
      invalid: [],
      barriers: [],
      instances: [],
      ...(functionDigest === undefined ? {} : { functionDigest }),
      sandboxDetails: trial.sandboxDetails,
    };
  }
}

/** What is armed; a coordinator of an older release names the kind alone. */
function parametersOf({ parameters, procedure, readyTimeoutMs }: ArmRequest): Procedure {
  return parameters ?? Procedure.parse({ kind: procedure, readyTimeoutMs });
}

function badMargin(trialId: string, marginNs: bigint): LockstepError {
  return new LockstepError(
    'START_LATE',
    `go for trial ${trialId} names an instant ${nanosecondsToMs(marginNs)} ms ahead`,
    { hint: 'The link or the device is too slow for the lead, or a clock was stepped.' },
  );
}
