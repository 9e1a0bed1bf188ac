import { LockstepError } from '../../schemas/errors.ts';
import { toFailure } from '../../schemas/failure.ts';
import { PHASES } from '../../schemas/result.ts';
import type { Instance, Phase, PhaseStamps, SandboxUsage } from '../../schemas/result.ts';
import type { SandboxLimits } from '../../schemas/sandbox.ts';
import type { FinalReading, SandboxTarget } from '../collectors/collector.ts';
import type { DriverContext, Sandbox, SandboxDriver } from '../sandboxes/driver.ts';
import { FUNCTION_PORT } from '../sandboxes/function-root.ts';
import type { FunctionRoot } from '../sandboxes/function-root.ts';
import type { Slot } from '../sandboxes/network.ts';
import { READY_PORT } from '../runner/ready-listener.ts';
import type { ReadyListener } from '../runner/ready-listener.ts';
import { invoke } from './invoke.ts';
import type { Invocation } from './invoke.ts';

/** What all instances of a trial share. */
export interface InstanceContext {
  readonly driver: SandboxDriver;
  readonly driverContext: DriverContext;
  readonly functionRoot: FunctionRoot;
  readonly limits: SandboxLimits;
  readonly ready: ReadyListener;
  readonly readyTimeoutMs: number;
  /** Aborts when the trial is stood down. */
  readonly signal: AbortSignal;
  /** Reads what a cgroup holds after its last process has ended. Absent: that is not wanted. */
  readonly readFinal?: (target: SandboxTarget) => FinalReading[];
}

/** What a sandbox sent just before its end has arrived after this time, ms. */
const UNHEARD_MS = 200;

/**
 * One sandbox from its creation to its removal: creates it, releases it, waits until its function
 * says that it is ready, calls it once, and keeps the stamps of it all.
 */
export class InstanceLife {
  readonly #context: InstanceContext;
  readonly #index: number;
  readonly #slot: Slot;
  readonly #phases: PhaseStamps = {};
  readonly #ended = Promise.withResolvers<never>();
  // Aborts what is asked of a sandbox that has ended: nobody may be there to reset the connection.
  readonly #unheard = new AbortController();
  readonly #ready = Promise.withResolvers<undefined>();
  #sandbox: Sandbox | undefined;
  #exitDescription: string | undefined;
  #record: Partial<Instance> = {};
  #finals: FinalReading[] = [];
  #failure: unknown;

  private constructor(context: InstanceContext, index: number, slot: Slot) {
    this.#context = context;
    this.#index = index;
    this.#slot = slot;
    // Nobody may be waiting yet when the sandbox ends; the reason is kept all the same.
    this.#ended.promise.catch(() => undefined);
  }

  /**
   * Does all that is not timed; afterwards the sandbox waits at its gate.
   *
   * @throws LockstepError whatever the driver throws.
   */
  static async create(context: InstanceContext, index: number, slot: Slot): Promise<InstanceLife> {
    const life = new InstanceLife(context, index, slot);
    life.#sandbox = await context.driver.create(
      context.driverContext,
      {
        id: `s${slot.index}-${context.driver.name}`,
        functionRoot: context.functionRoot,
        limits: context.limits,
        slot,
        readyPort: READY_PORT,
      },
      {
        onPhase: (phase, atMonoNs) => {
          life.#phases[phase] ??= atMonoNs;
          // A sandbox that is restored can't call; its driver sees that it listens.
          if (phase === 'ready') life.#ready.resolve(undefined);
        },
        onExit: (description) => {
          life.#noteExit(description);
        },
      },
    );
    life.#sandbox.onBeforeRemoval(() => {
      life.#finals = context.readFinal?.(life.target()) ?? [];
    });
    context.ready.expect(slot.address, (atMonoNs) => {
      life.#phases.ready = atMonoNs;
      life.#ready.resolve(undefined);
    });
    return life;
  }

  /** Releases the sandbox. Synchronous, so that a burst leaves together. */
  release(requestAtMonoNs: bigint): void {
    this.#phases.request = requestAtMonoNs;
    this.#phases.spawn = this.#sandbox?.start();
  }

  /** Waits until the function listens. Never rejects: a failure is kept for {@link record}. */
  async awaitReady(): Promise<void> {
    try {
      await this.#awaitReady();
    } catch (error) {
      this.fail(error);
    }
  }

  /** True if nothing has failed so far. */
  get isWell(): boolean {
    return this.#failure === undefined;
  }

  /** Notes why it can't go on. */
  fail(error: unknown): void {
    this.#failure ??= this.#explain(error);
  }

  /** Calls a function that is ready for the first time. Never rejects, as {@link awaitReady}. */
  async call(): Promise<void> {
    if (!this.isWell) return;
    try {
      this.#phases.call = process.hrtime.bigint();
      const invocation = await this.#invoke('/hello');
      this.#phases.firstByte = invocation.firstByteAtMonoNs;
      this.#phases.lastByte = invocation.lastByteAtMonoNs;
      this.#record.httpStatus = invocation.status;
      this.#record.responseBytes = invocation.responseBytes;
      assertAnswered(invocation, '/hello');
    } catch (error) {
      this.fail(error);
    }
  }

  /**
   * Asks something of a function that has answered before. The phases stay as they are.
   *
   * @param path with a query if need be.
   * @throws LockstepError FUNCTION_ANSWERED_WRONG for another status than 200, FUNCTION_CRASHED if
   * the sandbox has ended, DEADLINE_EXCEEDED if the answer takes longer than the ready timeout,
   * CANCELLED.
   */
  async ask(path: string): Promise<Invocation> {
    // Nobody answers for it; the reason is known already.
    if (this.hasEnded) return this.#ended.promise;
    const invocation = await this.#invoke(path);
    assertAnswered(invocation, path);
    return invocation;
  }

  /** True if the sandbox has ended by itself. */
  get hasEnded(): boolean {
    return this.#exitDescription !== undefined;
  }

  /** Fails it if the sandbox has ended by itself meanwhile. Returns whether all is well. */
  checkAlive(): boolean {
    if (this.#exitDescription !== undefined) this.fail(endedByItself(this.#exitDescription));
    return this.isWell;
  }

  /** What the sandbox has used until now. */
  usageNow(): SandboxUsage {
    return this.#sandbox?.readUsage() ?? { unavailable: 'the sandbox is not created' };
  }

  /** Ids of the sandbox's processes in the pid namespace of this process. */
  processIds(): number[] {
    return this.#sandbox?.processIds() ?? [];
  }

  /** Reads what the sandbox used. Called when every instance of the trial has answered. */
  readUsage(): void {
    if (this.#failure === undefined && this.#sandbox !== undefined) {
      this.#record.usage = this.#sandbox.readUsage();
    }
  }

  /** Removes every trace of the sandbox and returns what could not be removed. */
  async tearDown(): Promise<readonly string[]> {
    const sandbox = this.#sandbox;
    if (sandbox === undefined) return [];
    this.#context.ready.forget(this.#slot.address);
    // What is printed in the last moments belongs to the failure, so it is read at the end.
    this.#phases.teardownBegin = process.hrtime.bigint();
    const { leftovers } = await sandbox.remove();
    this.#phases.teardownEnd = process.hrtime.bigint();
    if (this.#failure !== undefined) this.#record.logTail = sandbox.logTail();
    return leftovers;
  }

  /** What can be sampled of the sandbox. */
  target(): SandboxTarget {
    if (this.#sandbox === undefined) throw new Error('the sandbox is not created');
    return { ...this.#sandbox.target(), index: this.#index };
  }

  /** What its cgroup held at the end. Empty before its removal, and unless asked for. */
  get finals(): readonly FinalReading[] {
    return this.#finals;
  }

  /** The instance as it stands in the result. */
  record(): Instance {
    const base = {
      ...this.#record,
      index: this.#index,
      address: this.#slot.address,
      phases: this.#phases,
    };
    if (this.#failure === undefined) return { ...base, status: 'ok' };
    return {
      ...base,
      status: 'failed',
      failure: toFailure(this.#failure),
      failedAfter: this.#lastPhase(),
    };
  }

  #invoke(path: string): Promise<Invocation> {
    const { readyTimeoutMs: timeoutMs, signal } = this.#context;
    return invoke(
      { address: this.#slot.address, port: FUNCTION_PORT, path, timeoutMs },
      AbortSignal.any([signal, this.#unheard.signal]),
    );
  }

  async #awaitReady(): Promise<void> {
    const { readyTimeoutMs, signal } = this.#context;
    const timedOut = Promise.withResolvers<never>();
    const timer = setTimeout(() => {
      timedOut.reject(
        new LockstepError(
          'FUNCTION_NOT_READY',
          `the function did not say that it is ready within ${readyTimeoutMs} ms`,
          { hint: 'Raise readyTimeoutMs in the experiment, or look at the log of the sandbox.' },
        ),
      );
    }, readyTimeoutMs);
    const onAbort = (): void => {
      timedOut.reject(new LockstepError('CANCELLED', 'the trial was stood down'));
    };
    signal.addEventListener('abort', onAbort, { once: true });
    if (signal.aborted) onAbort();
    try {
      await Promise.race([this.#ready.promise, this.#ended.promise, timedOut.promise]);
    } finally {
      clearTimeout(timer);
      signal.removeEventListener('abort', onAbort);
    }
  }

  #noteExit(description: string): void {
    this.#exitDescription ??= description;
    // An answer that is on its way may still be complete.
    setTimeout(() => {
      this.#unheard.abort();
    }, UNHEARD_MS).unref();
    this.#ended.reject(endedByItself(description));
  }

  #explain(error: unknown): unknown {
    if (this.#context.signal.aborted) {
      return new LockstepError('CANCELLED', 'the trial was stood down', { cause: error });
    }
    if (this.#exitDescription === undefined || !(error instanceof LockstepError)) return error;
    if (error.code !== 'FUNCTION_CRASHED') return error;
    return endedByItself(this.#exitDescription, error);
  }

  #lastPhase(): Phase {
    const reached = PHASES.filter(
      (phase) => !phase.startsWith('teardown') && this.#phases[phase] !== undefined,
    );
    return reached.at(-1) ?? 'request';
  }
}

function endedByItself(description: string, cause?: unknown): LockstepError {
  return new LockstepError('FUNCTION_CRASHED', `the sandbox ended by itself: ${description}`, {
    cause,
    hint: 'Look at the log of the sandbox.',
  });
}

function assertAnswered({ status }: Invocation, path: string): void {
  if (status === 200) return;
  throw new LockstepError(
    'FUNCTION_ANSWERED_WRONG',
    `the function answered ${path} with status ${status} instead of 200`,
    { hint: 'Look at the log of the sandbox.' },
  );
}
