import { setTimeout as delay } from 'node:timers/promises';
import { LockstepError, errorMessageOf } from '../../schemas/errors.ts';
import type { SandboxUsage } from '../../schemas/result.ts';
import type { SandboxTarget, VmmTarget } from '../collectors/collector.ts';
import type { Cgroups } from './cgroup.ts';
import type { RemovalReport, Sandbox, SandboxObserver } from './driver.ts';
import type { Gate, GateExit } from './gate.ts';
import { findSandboxProcesses } from './sandbox-processes.ts';

/** What a driver adds to a gated command to make a sandbox of it. */
export interface SandboxParts {
  readonly id: string;
  readonly gate: Gate;
  readonly cgroups: Cgroups;
  /** File of the sandbox's network namespace. Absent for a tap. */
  readonly netnsPath?: string;
  /** Its interface, by the name in the network namespace of its processes. */
  readonly networkInterface: string;
  /** The monitor of a virtual machine. Absent for other kinds. */
  readonly vmm?: VmmTarget;
  readonly observer: SandboxObserver;
  /**
   * What the command's own process is: the sandbox itself, or a runtime's command that ends when
   * the sandbox runs.
   */
  readonly commandIs: 'sandbox' | 'launcher';
  /** Asks the function to end; not called after the sandbox has ended. */
  readonly requestStop: () => Promise<void>;
  /** Removes what the driver and its runtime made beside processes and cgroup. */
  readonly dispose: () => Promise<void>;
}

const CLOSE_TIMEOUT_MS = 100;
const LINGER_TIMEOUT_MS = 1_000;
const LINGER_POLL_MS = 2;

/** The life of a sandbox from its gate to its removal, the same for every kind. */
export class GatedSandbox implements Sandbox {
  readonly #parts: SandboxParts;
  readonly #ended = Promise.withResolvers<undefined>();
  #isEnding = false;
  #readBeforeRemoval: (() => void) | undefined;
  #removal: Promise<RemovalReport> | undefined;

  constructor(parts: SandboxParts) {
    this.#parts = parts;
    void this.#watchEnd();
  }

  start(): bigint {
    return this.#parts.gate.open();
  }

  readUsage(): SandboxUsage {
    return this.#parts.cgroups.readUsage(this.#parts.id);
  }

  target(): Omit<SandboxTarget, 'index'> {
    const { cgroups, id, networkInterface, vmm } = this.#parts;
    return {
      id,
      cgroup: cgroups.foldersOf(id),
      networkInterface,
      ...(vmm === undefined ? {} : { vmm }),
    };
  }

  onBeforeRemoval(read: () => void): void {
    this.#readBeforeRemoval = read;
  }

  processIds(): number[] {
    const { cgroups, gate, id, netnsPath } = this.#parts;
    if (cgroups.mode !== 'none') return cgroups.processIds(id);
    return findSandboxProcesses({
      sessionId: gate.processId,
      ...(netnsPath === undefined ? {} : { netnsPath }),
    });
  }

  logTail(): string {
    return this.#parts.gate.tail();
  }

  async stop(timeoutMs: number): Promise<void> {
    this.#isEnding = true;
    const timer = Promise.withResolvers<undefined>();
    const timeout = setTimeout(() => {
      timer.resolve(undefined);
    }, timeoutMs);
    try {
      await this.#parts.requestStop();
      await Promise.race([this.#ended.promise, timer.promise]);
    } finally {
      clearTimeout(timeout);
    }
  }

  async kill(): Promise<void> {
    this.#isEnding = true;
    await this.#killAll();
  }

  remove(): Promise<RemovalReport> {
    this.#isEnding = true;
    this.#removal ??= this.#remove();
    return this.#removal;
  }

  async #killAll(): Promise<string[]> {
    const { cgroups, gate, id } = this.#parts;
    gate.kill();
    const alive = cgroups.mode === 'none' ? await this.#killFound() : await cgroups.killAll(id);
    return alive.map((processId) => `process ${processId} of ${id}`);
  }

  async #killFound(): Promise<number[]> {
    const deadline = performance.now() + LINGER_TIMEOUT_MS;
    for (;;) {
      const ids = this.processIds();
      if (ids.length === 0 || performance.now() > deadline) return ids;
      for (const id of ids) killProcess(id);
      await delay(LINGER_POLL_MS);
    }
  }

  async #remove(): Promise<RemovalReport> {
    const { cgroups, dispose, gate, id } = this.#parts;
    const leftovers: string[] = await this.#killAll();
    // Before the runtime's own removal: that takes the cgroup with it.
    this.#readLast();
    try {
      await dispose();
    } catch (error) {
      leftovers.push(`${id}: ${errorMessageOf(error)}`);
    }
    // The runtime's command may have started something between the first look and its own end.
    leftovers.push(...(await this.#killAll()));
    leftovers.push(...(await cgroups.remove(id)));
    if (!(await settlesWithin(gate.exited, 1_000))) leftovers.push(`process ${gate.processId}`);
    await settlesWithin(gate.closed, CLOSE_TIMEOUT_MS);
    gate.destroy();
    return { leftovers };
  }

  #readLast(): void {
    try {
      this.#readBeforeRemoval?.();
    } catch {
      // A reading less is no reason to leave a sandbox behind.
    }
  }

  // A runtime's own processes end a little after the function that they ran.
  async #awaitNoProcess(): Promise<void> {
    const deadline = performance.now() + LINGER_TIMEOUT_MS;
    while (this.processIds().length > 0 && performance.now() < deadline)
      await delay(LINGER_POLL_MS);
  }

  async #watchEnd(): Promise<void> {
    const { commandIs, gate } = this.#parts;
    const exit = await gate.exited;
    const launched = commandIs === 'launcher' && exit.code === 0;
    if (launched) {
      await gate.closed;
      await this.#awaitNoProcess();
    }
    // The last lines belong to the log, but a process that was left behind may hold the pipe.
    else await settlesWithin(gate.closed, CLOSE_TIMEOUT_MS);
    this.#ended.resolve(undefined);
    if (this.#isEnding) return;
    this.#parts.observer.onExit(launched ? 'the container ended' : describeExit(exit));
  }
}

/** The end of a process in words. */
export function describeExit(exit: GateExit): string {
  if (exit.signal !== null) return `signal ${exit.signal}`;
  return exit.code === null ? 'it could not be started' : `exit code ${exit.code}`;
}

async function settlesWithin(promise: Promise<unknown>, timeoutMs: number): Promise<boolean> {
  const { promise: late, resolve } = Promise.withResolvers<boolean>();
  const timer = setTimeout(resolve, timeoutMs, false);
  try {
    return await Promise.race([promise.then(() => true), late]);
  } finally {
    clearTimeout(timer);
  }
}

function killProcess(id: number): void {
  try {
    process.kill(id, 'SIGKILL');
  } catch {
    // It ended by itself in between.
  }
}

/** The error of a driver that could not create a sandbox, with its parts removed in reverse. */
export async function undo(steps: (() => Promise<unknown>)[], cause: unknown): Promise<never> {
  for (const step of steps.toReversed()) await step().catch(() => undefined);
  if (cause instanceof LockstepError) throw cause;
  throw new LockstepError('SANDBOX_FAILED', errorMessageOf(cause), { cause });
}
