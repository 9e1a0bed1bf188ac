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
import { PROTOCOL_VERSION } from '../schemas/protocol.ts';
import type { TrialResult } from '../schemas/result.ts';
import { NS_PER_MS, NS_PER_SECOND, nanosecondsToMs } from '../schemas/units.ts';
import type { Equipment } from './artefacts.ts';
import type { Clock } from './clock/clock.ts';
import type { Synchroniser } from './clock/synchroniser.ts';
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
    equip(digests: readonly string[], guestKernelDigest: string | undefined): Promise<Equipment>;
  };
  readonly startRunner: () => Promise<RunnerPort>;
  /** Scheduling class that a runner gets, and why it is no real-time class; absent if it is. */
  readonly schedulingClass: string;
  readonly schedulingReason: string | undefined;
  /** Tells the coordinator of an arrival at a barrier; resolves with the instant of going on. */
  readonly askBarrier: (request: Omit<BarrierRequest, 'protocol'>) => Promise<BarrierReply>;
  readonly logger: Logger;
  /** Takes a result; resolves when it is safe from a crash of this process. */
  readonly keep: (result: TrialResult) => Promise<void>;
}

interface ArmedTrial {
  readonly request: ArmRequest;
  readonly clock: TrialClock;
  readonly sandboxDetails: Record<string, string>;
  /** Set once go was accepted; resolves when the result is kept. */
  going?: Promise<void>;
  /** Set when the coordinator gave the trial up: then there is no result to report. */
  isStoodDown: boolean;
}

interface Target {
  readonly targetFleetNs: bigint;
  readonly targetMonoNs: bigint;
}

/** One run as one device serves it: a runner of its own, and one trial at a time. */
export class RunSession {
  readonly runId: string;
  readonly #request: PrepareRequest;
  readonly #ports: SessionPorts;
  readonly #runner: RunnerPort;
  readonly #schedulingClass: string;
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
    const equipment = await ports.artefacts.equip(digests, request.guestKernelDigest);
    const runner = await ports.startRunner();
    try {
      const { schedulingClass } = await runner.call(
        'setUp',
        {
          cgroupName: ports.cgroupName,
          scratchFolder: ports.scratchFolder,
          functions: [...equipment.functions],
          limits: request.limits,
          ...(equipment.guestKernelFolder === undefined
            ? {}
            : { guestKernelFolder: equipment.guestKernelFolder }),
        },
        SET_UP_TIMEOUT_MS,
      );
      return new RunSession(request, ports, { runner, schedulingClass });
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
  async arm(request: ArmRequest): Promise<ArmReply> {
    if (this.#trial !== undefined) {
      throw new LockstepError(
        'AGENT_BUSY',
        `trial ${this.#trial.request.trialId} is still armed or going on this device`,
      );
    }
    const { trialId, cell, procedure, readyTimeoutMs } = request;
    const { sandboxDetails } = await this.#runner.call(
      'arm',
      { trialId, cell, procedure, readyTimeoutMs },
      ARM_TIMEOUT_MS,
    );
    try {
      const clock = await TrialClock.open(this.#ports, request);
      this.#trial = { request, clock, sandboxDetails, isStoodDown: false };
      return { protocol: PROTOCOL_VERSION, clock: clock.estimate };
    } catch (error) {
      await this.#standDownRunner(trialId, toFailure(error));
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
      trial.going = this.#measure(trial, { targetFleetNs: request.startAtFleetNs, targetMonoNs });
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
    const { trialId, readyTimeoutMs } = trial.request;
    let result: TrialResult;
    try {
      const outcome = await this.#runner.call(
        'start',
        { trialId, targetMonoNs: target.targetMonoNs },
        Number(LEAD_MAX_NS / NS_PER_MS) + 2 * readyTimeoutMs + TEARDOWN_MARGIN_MS,
      );
      result = await this.#resultOf(trial, outcome, target);
    } catch (error) {
      result = { ...this.#emptyResult(trial), status: 'failed', failure: toFailure(error) };
    }
    if (!trial.isStoodDown) {
      await this.#ports.keep(result);
      this.#trial = undefined;
    }
  }

  async #resultOf(
    trial: ArmedTrial,
    outcome: RunnerResult<'start'>,
    target: Target,
  ): Promise<TrialResult> {
    const { actualMonoNs, startedAtUtcNs, instances, leftovers } = outcome;
    const { longestPauseNs, barriers } = outcome;
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
      invalid: marksOf(trial.request, { ...signs, barriers, leftovers, clockMarks }),
      clock,
      start: {
        ...target,
        actualMonoNs,
        latenessNs,
        schedulingClass: this.#schedulingClass,
        ...(schedulingReason === undefined ? {} : { schedulingReason }),
        wave: trial.request.wave,
        startedAtUtcNs,
      },
      barriers,
      instances,
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

function badMargin(trialId: string, marginNs: bigint): LockstepError {
  return new LockstepError(
    'START_LATE',
    `go for trial ${trialId} names an instant ${nanosecondsToMs(marginNs)} ms ahead`,
    { hint: 'The link or the device is too slow for the lead, or a clock was stepped.' },
  );
}
