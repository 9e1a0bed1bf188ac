import type { Logger } from 'pino';
import { LockstepError } from '../schemas/errors.ts';
import { toFailure } from '../schemas/failure.ts';
import type { Failure } from '../schemas/failure.ts';
import type { ArmReply, ArmRequest, GoRequest, PrepareRequest } from '../schemas/messages.ts';
import { PROTOCOL_VERSION } from '../schemas/protocol.ts';
import type { InvalidMark, TrialResult } from '../schemas/result.ts';
import { NS_PER_MS, NS_PER_SECOND, nanosecondsToMs } from '../schemas/units.ts';
import type { Artefacts } from './artefacts.ts';
import type { Clock } from './clock/clock.ts';
import { clockEstimateAt } from './clock/synchroniser.ts';
import type { FleetOffset, Synchroniser } from './clock/synchroniser.ts';
import { RunnerClient } from './runner/client.ts';
import type { RunnerOptions } from './runner/client.ts';
import type { RunnerResult } from './runner/protocol.ts';

const SET_UP_TIMEOUT_MS = 60_000;
const ARM_TIMEOUT_MS = 100_000;
const STAND_DOWN_TIMEOUT_MS = 50_000;

/** Time for removing sandboxes after a trial, ms. */
const TEARDOWN_MARGIN_MS = 40_000;

/** An instant further ahead than this is a mistake, ns. */
const LEAD_MAX_NS = 60n * NS_PER_SECOND;

/** What a session needs of its agent. */
export interface SessionPorts {
  readonly deviceId: string;
  /** Name of this agent's cgroups; see {@link cgroupNameOf}. */
  readonly cgroupName: string;
  readonly clock: Clock;
  readonly synchroniser: Synchroniser;
  readonly artefacts: Artefacts;
  readonly runner: RunnerOptions;
  readonly logger: Logger;
  /** Takes a result; resolves when it is safe from a crash of this process. */
  readonly keep: (result: TrialResult) => Promise<void>;
}

interface ArmedTrial {
  readonly request: ArmRequest;
  readonly offset: FleetOffset;
  readonly sandboxDetails: Record<string, string>;
  /** Set once go was accepted; resolves when the result is kept. */
  going?: Promise<void>;
  /** Set when the coordinator gave the trial up: then there is no result to report. */
  isStoodDown: boolean;
}

/** One run as one device serves it: a runner of its own, and one trial at a time. */
export class RunSession {
  readonly runId: string;
  readonly #request: PrepareRequest;
  readonly #ports: SessionPorts;
  readonly #runner: RunnerClient;
  readonly #schedulingClass: string;
  #trial: ArmedTrial | undefined;

  private constructor(
    request: PrepareRequest,
    ports: SessionPorts,
    started: { runner: RunnerClient; schedulingClass: string },
  ) {
    this.runId = request.runId;
    this.#request = request;
    this.#ports = ports;
    this.#runner = started.runner;
    this.#schedulingClass = started.schedulingClass;
  }

  /**
   * Fetches what the run needs and starts its runner.
   *
   * @throws LockstepError if an artefact can't be had or the runner can't be set up.
   */
  static async open(request: PrepareRequest, ports: SessionPorts): Promise<RunSession> {
    const digests = request.functions.map(({ digest }) => digest);
    const equipment = await ports.artefacts.equip(digests, request.guestKernelDigest);
    const runner = await RunnerClient.start(ports.runner);
    try {
      const { schedulingClass } = await runner.call(
        'setUp',
        {
          cgroupName: ports.cgroupName,
          scratchFolder: ports.runner.scratchFolder,
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

  /** Does all of a trial that is not timed, then synchronises the clock. */
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
    let offset: FleetOffset;
    try {
      offset = await this.#ports.synchroniser.measure();
    } catch (error) {
      await this.#standDownRunner(trialId, toFailure(error));
      throw error;
    }
    this.#trial = { request, offset, sandboxDetails, isStoodDown: false };
    const clock = clockEstimateAt(offset, this.#ports.clock.monotonicNs());
    return { protocol: PROTOCOL_VERSION, clock };
  }

  /**
   * Starts the armed trial at an instant; returns the time left until it, ns.
   *
   * @throws LockstepError START_LATE if the instant has passed; the trial is stood down then.
   */
  async go(request: GoRequest): Promise<bigint> {
    const trial = this.#trial;
    if (trial?.request.trialId !== request.trialId || trial.going !== undefined) {
      throw new LockstepError('NOT_FOUND', `trial ${request.trialId} is not armed on this device`);
    }
    const targetMonoNs = request.startAtFleetNs - trial.offset.offsetNs;
    const marginNs = targetMonoNs - this.#ports.clock.monotonicNs();
    if (marginNs < 0n || marginNs > LEAD_MAX_NS) {
      const error = new LockstepError(
        'START_LATE',
        `go for trial ${request.trialId} names an instant ${nanosecondsToMs(marginNs)} ms ahead`,
        { hint: 'The link or the device is too slow for the lead, or a clock was stepped.' },
      );
      await this.standDown(request.trialId, toFailure(error));
      throw error;
    }
    trial.going = this.#measure(trial, request.startAtFleetNs, targetMonoNs);
    return marginNs;
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

  async #measure(trial: ArmedTrial, targetFleetNs: bigint, targetMonoNs: bigint): Promise<void> {
    const { trialId, readyTimeoutMs } = trial.request;
    let result: TrialResult;
    try {
      const outcome = await this.#runner.call(
        'start',
        { trialId, targetMonoNs },
        Number(LEAD_MAX_NS / NS_PER_MS) + 2 * readyTimeoutMs + TEARDOWN_MARGIN_MS,
      );
      result = this.#resultOf(trial, outcome, { targetFleetNs, targetMonoNs });
    } catch (error) {
      result = { ...this.#emptyResult(trial), status: 'failed', failure: toFailure(error) };
    }
    if (!trial.isStoodDown) {
      await this.#ports.keep(result);
      this.#trial = undefined;
    }
  }

  #resultOf(
    trial: ArmedTrial,
    outcome: RunnerResult<'start'>,
    target: { targetFleetNs: bigint; targetMonoNs: bigint },
  ): TrialResult {
    const { actualMonoNs, startedAtUtcNs, instances, leftovers } = outcome;
    const latenessNs = actualMonoNs - target.targetMonoNs;
    const clock = clockEstimateAt(trial.offset, actualMonoNs);
    const failed = instances.find((instance) => instance.status === 'failed');
    return {
      ...this.#emptyResult(trial),
      status: failed === undefined ? 'ok' : 'failed',
      ...(failed?.failure === undefined ? {} : { failure: failed.failure }),
      invalid: invalidMarks(trial.request, latenessNs, clock.boundNs, leftovers),
      clock,
      start: {
        ...target,
        actualMonoNs,
        latenessNs,
        schedulingClass: this.#schedulingClass,
        startedAtUtcNs,
      },
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
      instances: [],
      ...(functionDigest === undefined ? {} : { functionDigest }),
      sandboxDetails: trial.sandboxDetails,
    };
  }
}

function invalidMarks(
  request: ArmRequest,
  latenessNs: bigint,
  boundNs: bigint,
  leftovers: readonly string[],
): InvalidMark[] {
  const marks: InvalidMark[] = [];
  if (latenessNs > request.latenessBudgetNs) {
    marks.push({
      code: 'late-start',
      message:
        `started ${nanosecondsToMs(latenessNs)} ms late; ` +
        `the budget is ${nanosecondsToMs(request.latenessBudgetNs)} ms`,
    });
  }
  if (boundNs > request.clockBoundBudgetNs) {
    marks.push({
      code: 'clock-bound',
      message:
        `the clock bound was ${nanosecondsToMs(boundNs)} ms; ` +
        `the budget is ${nanosecondsToMs(request.clockBoundBudgetNs)} ms`,
    });
  }
  if (leftovers.length > 0) {
    marks.push({ code: 'leftover', message: leftovers.join('; ').slice(0, 1024) });
  }
  return marks;
}
