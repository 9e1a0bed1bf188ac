import { LockstepError } from '../../schemas/errors.ts';
import { fromFailure, toFailure } from '../../schemas/failure.ts';
import type { Failure } from '../../schemas/failure.ts';
import { canRun, formOf } from '../../schemas/fitness.ts';
import type { Procedure } from '../../schemas/procedure.ts';
import type { SandboxAvailability, SandboxName } from '../../schemas/sandbox.ts';
import { warmUp } from '../clock/clock.ts';
import type { Clock } from '../clock/clock.ts';
import { SYSTEM_ROOTS } from '../collectors/collector.ts';
import type { FinalReading, SandboxTarget } from '../collectors/collector.ts';
import { readFinal } from '../collectors/final-reading.ts';
import type {
  ArmedProcedure,
  ProcedureContext,
  ProcedureOutcome,
} from '../procedures/procedure.ts';
import { procedureOf } from '../procedures/registry.ts';
import { Cgroups } from '../sandboxes/cgroup.ts';
import type { DriverContext } from '../sandboxes/driver.ts';
import type { FunctionRoot } from '../sandboxes/function-root.ts';
import { SlotPool } from '../sandboxes/network.ts';
import { driverOf } from '../sandboxes/registry.ts';
import { BarrierPasser } from './barrier-passer.ts';
import { PauseWatch } from './pause-watch.ts';
import type { BarrierArrival } from './port.ts';
import { awaitInstant } from './start-barrier.ts';
import type { RunnerParams, RunnerResult } from './protocol.ts';
import { ReadyListener } from './ready-listener.ts';
import { readSchedulingClass, tightenTimerSlack } from './scheduling-class.ts';

const BROKEN: Failure = { code: 'BARRIER_BROKEN', message: 'the barrier was given up' };

interface ArmedTrial {
  readonly trialId: string;
  readonly armed: ArmedProcedure;
  readonly abort: AbortController;
  readonly barriers: BarrierPasser;
  /** Set while the trial goes; resolves when it is over and cleaned up. */
  going?: Promise<ProcedureOutcome>;
}

interface World {
  readonly driverContext: DriverContext;
  readonly functions: readonly FunctionRoot[];
  readonly limits: RunnerParams<'setUp'>['limits'];
  /** Folders of tools by name. */
  readonly tools: Readonly<Record<string, string>>;
  readonly slots: SlotPool;
  readonly ready: ReadyListener;
}

/**
 * The measuring part of an agent: it starts sandboxes at instants and stamps what happens. It
 * knows neither NATS nor telemetry, lives in namespaces of its own, and serves one run.
 */
export class Runner {
  readonly #clock: Clock;
  readonly #onBarrier: (arrival: BarrierArrival) => void;
  readonly #pauses: PauseWatch;
  readonly #details = new Map<string, Promise<Record<string, string>>>();
  #world: World | undefined;
  #trial: ArmedTrial | undefined;
  #arming: Promise<ArmedProcedure> | undefined;

  /** @param onBarrier told when the going trial waits at a barrier; answered by `release`. */
  constructor(clock: Clock, onBarrier: (arrival: BarrierArrival) => void) {
    this.#clock = clock;
    this.#onBarrier = onBarrier;
    this.#pauses = new PauseWatch(clock);
  }

  /** See {@link RUNNER_METHODS}. */
  async setUp(params: RunnerParams<'setUp'>): Promise<RunnerResult<'setUp'>> {
    if (this.#world !== undefined) throw new Error('the runner was set up before');
    const driverContext: DriverContext = {
      scratchFolder: params.scratchFolder,
      cgroups: await Cgroups.open({ cgroupName: params.cgroupName }),
      ...(params.guestKernelFolder === undefined
        ? {}
        : { guestKernelFolder: params.guestKernelFolder }),
      ...(params.imagesFolder === undefined ? {} : { imagesFolder: params.imagesFolder }),
    };
    this.#world = {
      driverContext,
      functions: params.functions,
      limits: params.limits,
      tools: params.tools ?? {},
      slots: new SlotPool(params.scratchFolder),
      ready: await ReadyListener.open(),
    };
    tightenTimerSlack();
    warmUp(this.#clock);
    return { schedulingClass: readSchedulingClass(), processId: process.pid };
  }

  /** See {@link RUNNER_METHODS}. */
  async probe(params: RunnerParams<'probe'>): Promise<SandboxAvailability> {
    const name = params.sandbox;
    const startedAtNs = this.#clock.monotonicNs();
    try {
      const details = await this.#detect(name);
      await this.#coldStartOnce(name, params.timeoutMs);
      const probeMs = Number(this.#clock.monotonicNs() - startedAtNs) / 1e6;
      return { available: true, name, details, probeMs };
    } catch (error) {
      const failure = toFailure(error);
      if (failure.code === 'INTERNAL') failure.code = 'SANDBOX_UNAVAILABLE';
      return { available: false, name, failure };
    }
  }

  /** See {@link RUNNER_METHODS}. */
  async arm(params: RunnerParams<'arm'>): Promise<RunnerResult<'arm'>> {
    if (this.#trial !== undefined) {
      throw new LockstepError('AGENT_BUSY', `trial ${this.#trial.trialId} is still armed or going`);
    }
    const sandboxDetails = await this.#detect(params.cell.sandbox);
    const { trialId } = params;
    const abort = new AbortController();
    const barriers = this.#barriersOf(trialId, abort.signal);
    const context = this.#procedureContext(params.cell.sandbox, {
      functionName: params.cell.function,
      parameters: params.parameters,
      seed: params.seed,
      signal: abort.signal,
      barriers,
    });
    const sampled = params.isSampled ? { ...context, readFinal: this.#readFinal } : context;
    const { armed } = await this.#armTrial({ trialId, abort, barriers }, () =>
      procedureOf(params.parameters.kind).arm(sampled, params.cell),
    );
    return { sandboxDetails, targets: [...armed.targets] };
  }

  /** See {@link RUNNER_METHODS}. */
  async start(params: RunnerParams<'start'>): Promise<RunnerResult<'start'>> {
    const trial = this.#trialNamed(params.trialId);
    const actualMonoNs = await awaitInstant(this.#clock, params.targetMonoNs, trial.abort.signal);
    if (actualMonoNs === undefined || trial.abort.signal.aborted) {
      throw new LockstepError(
        'CANCELLED',
        `trial ${trial.trialId} was stood down before its start`,
      );
    }
    trial.going = trial.armed.start(actualMonoNs);
    this.#pauses.begin();
    // The wall clock is read after the gates are open: it is for people and not timed.
    const startedAtUtcNs = this.#clock.utcNs() - (this.#clock.monotonicNs() - actualMonoNs);
    try {
      const outcome = await trial.going;
      const longestPauseNs = this.#pauses.end();
      const barriers = [...trial.barriers.records];
      return { actualMonoNs, startedAtUtcNs, longestPauseNs, barriers, ...outcome };
    } finally {
      this.#pauses.end();
      this.#trial = undefined;
    }
  }

  /** See {@link RUNNER_METHODS}. */
  release(params: RunnerParams<'release'>): Promise<RunnerResult<'release'>> {
    const { trialId, name, targetMonoNs, failure } = params;
    const { barriers } = this.#trialNamed(trialId);
    barriers.release(name, targetMonoNs ?? fromFailure(failure ?? BROKEN));
    return Promise.resolve({});
  }

  /** See {@link RUNNER_METHODS}. */
  async standDown(params: RunnerParams<'standDown'>): Promise<RunnerResult<'standDown'>> {
    const trial = this.#trial;
    if (trial?.trialId !== params.trialId) return { leftovers: [] };
    trial.abort.abort();
    if (trial.going !== undefined) return { leftovers: (await trial.going).leftovers };
    const leftovers = await trial.armed.standDown();
    this.#trial = undefined;
    return { leftovers: [...leftovers] };
  }

  /** Gives up what is armed or going, and removes everything of this run. */
  async close(): Promise<void> {
    const world = this.#world;
    if (world === undefined) return;
    this.#world = undefined;
    await this.#arming?.catch(() => undefined);
    const trial = this.#trial;
    trial?.abort.abort();
    await (trial?.going ?? trial?.armed.standDown());
    await world.ready.close();
    await world.slots.destroy();
    await world.driverContext.cgroups.removeAll();
  }

  readonly #readFinal = (target: SandboxTarget): FinalReading[] =>
    readFinal(target, SYSTEM_ROOTS, () => this.#clock.monotonicNs());

  #barriersOf(trialId: string, signal: AbortSignal): BarrierPasser {
    return new BarrierPasser(this.#clock, signal, (name) => {
      this.#onBarrier({ trialId, name });
    });
  }

  async #armTrial(
    trial: Omit<ArmedTrial, 'armed'>,
    arm: () => Promise<ArmedProcedure>,
  ): Promise<ArmedTrial> {
    this.#arming = arm();
    try {
      this.#trial = { ...trial, armed: await this.#arming };
      return this.#trial;
    } finally {
      this.#arming = undefined;
    }
  }

  #trialNamed(trialId: string): ArmedTrial {
    if (this.#trial?.trialId !== trialId) {
      throw new LockstepError('NOT_FOUND', `trial ${trialId} is not armed`);
    }
    return this.#trial;
  }

  #worldOrThrow(): World {
    if (this.#world === undefined) throw new Error('the runner is not set up');
    return this.#world;
  }

  #detect(name: string): Promise<Record<string, string>> {
    let details = this.#details.get(name);
    if (details === undefined) {
      details = driverOf(name).detect(this.#worldOrThrow().driverContext);
      this.#details.set(name, details);
    }
    return details;
  }

  #procedureContext(
    sandbox: string,
    options: {
      functionName: string;
      parameters: Procedure;
      seed: number;
      signal: AbortSignal;
      barriers: BarrierPasser;
    },
  ): ProcedureContext {
    const world = this.#worldOrThrow();
    const functionRoot = world.functions.find(
      (candidate) => candidate.manifest.name === options.functionName,
    );
    if (functionRoot === undefined) {
      throw new LockstepError(
        'ARTEFACT_MISSING',
        `function ${options.functionName} was not prepared for this run`,
      );
    }
    return {
      driver: driverOf(sandbox),
      driverContext: world.driverContext,
      functionRoot,
      limits: world.limits,
      slots: world.slots,
      ready: world.ready,
      readyTimeoutMs: options.parameters.readyTimeoutMs,
      parameters: options.parameters,
      seed: options.seed,
      tools: world.tools,
      signal: options.signal,
      passBarrier: (name) => options.barriers.pass(name),
    };
  }

  async #coldStartOnce(name: SandboxName, timeoutMs: number): Promise<void> {
    const { functions } = this.#worldOrThrow();
    const fitting = functions.filter(({ manifest }) => canRun(name, formOf(manifest)));
    // A static binary fits most kinds of sandbox, so it says most about the sandbox itself.
    const functionRoot = fitting.find((root) => root.manifest.staticBinary) ?? fitting[0];
    if (functionRoot === undefined) {
      throw new LockstepError('SANDBOX_UNAVAILABLE', 'there is no function to try it with', {
        hint: 'Let the set-up build the functions where the coordinator runs.',
      });
    }
    const abort = new AbortController();
    const trialId = `probe ${name}`;
    const barriers = this.#barriersOf(trialId, abort.signal);
    const context = this.#procedureContext(name, {
      functionName: functionRoot.manifest.name,
      parameters: { kind: 'cold-start', readyTimeoutMs: timeoutMs },
      seed: 0,
      signal: abort.signal,
      barriers,
    });
    const cell = {
      id: trialId,
      sandbox: name,
      function: functionRoot.manifest.name,
      instances: 1,
    };
    const trial = await this.#armTrial({ trialId, abort, barriers }, () =>
      procedureOf('cold-start').arm(context, cell),
    );
    trial.going = trial.armed.start(this.#clock.monotonicNs());
    const { instances } = await trial.going.finally(() => {
      this.#trial = undefined;
    });
    const failed = instances.find((instance) => instance.status === 'failed');
    if (failed?.failure === undefined) return;
    const lastLine = (failed.logTail ?? '').trim().split('\n').at(-1) ?? '';
    const saying = lastLine === '' ? '' : `; it printed: ${lastLine.slice(0, 500)}`;
    throw new LockstepError('SANDBOX_UNAVAILABLE', `${failed.failure.message}${saying}`, {
      hint: failed.failure.hint ?? 'Look at what the sandbox printed.',
    });
  }
}
