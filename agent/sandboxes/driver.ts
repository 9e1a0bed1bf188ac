import type { Phase, SandboxUsage } from '../../schemas/result.ts';
import type { SandboxLimits, SandboxName } from '../../schemas/sandbox.ts';
import type { SandboxTarget } from '../collectors/collector.ts';
import type { Cgroups } from './cgroup.ts';
import type { FunctionRoot } from './function-root.ts';
import type { Slot, SlotKind } from './network.ts';

/** What a driver may use while it serves a run. All of it lives in the runner's own namespaces. */
export interface DriverContext {
  /** A folder on a private tmpfs: gone with the runner, whatever ends it. */
  readonly scratchFolder: string;
  /** Folder of kernel and modules for microVM guests. Absent if none was published. */
  readonly guestKernelFolder?: string;
  /**
   * Folder of kernels, loaders and programs that the user supplies or that were fetched by
   * release; see {@link findSupplied}. Absent if the agent has none.
   */
  readonly imagesFolder?: string;
  /** Cgroups of this agent. */
  readonly cgroups: Cgroups;
}

/** One sandbox to create. */
export interface SandboxSpec {
  /** Unique within the device, an identifier. */
  readonly id: string;
  readonly functionRoot: FunctionRoot;
  readonly limits: SandboxLimits;
  /** The network namespace and addresses that the sandbox gets. */
  readonly slot: Slot;
  /** Port of the ready listener on the slot's gateway address. */
  readonly readyPort: number;
}

/** What the runner is told while a sandbox lives. Stamps are CLOCK_MONOTONIC, ns. */
export interface SandboxObserver {
  /** A marker of the function or the guest arrived on the sandbox's output. */
  onPhase(phase: Phase, atMonoNs: bigint): void;
  /** The sandbox ended by itself. */
  onExit(description: string): void;
}

/** How a sandbox ended up after {@link Sandbox.remove}: what could not be removed, if anything. */
export interface RemovalReport {
  readonly leftovers: readonly string[];
}

/** A sandbox that was created (nothing of it runs the function yet) and can be started once. */
export interface Sandbox {
  /**
   * Releases the pre-spawned command. Returns the stamp taken just before; the timed part begins
   * here and does nothing but write one byte to the gate.
   */
  start(): bigint;
  /** Resource use, read from the sandbox's cgroup. */
  readUsage(): SandboxUsage;
  /** What can be sampled of it, and where. Known from its creation on. */
  target(): Omit<SandboxTarget, 'index'>;
  /**
   * Sets what {@link remove} calls once: after all processes have ended and before anything of the
   * cgroup goes, so that it can be read a last time. What it throws is dropped; removal goes on.
   * The last one set counts.
   */
  onBeforeRemoval(read: () => void): void;
  /** Ids of the sandbox's processes in the runner's pid namespace. */
  processIds(): number[];
  /** The end of what the sandbox printed, at most 16 KiB. */
  logTail(): string;
  /** Asks the function to end, and waits; the sandbox may still have to be removed. */
  stop(timeoutMs: number): Promise<void>;
  /** Ends it at once. */
  kill(): Promise<void>;
  /** Removes every trace: processes, cgroup, mounts, files. Safe to call at any time, and twice. */
  remove(): Promise<RemovalReport>;
}

/** A kind of isolation. One instance serves one runner; see `docs` beside each driver. */
export interface SandboxDriver {
  readonly name: SandboxName;
  /** The kind of network slot that its sandboxes need. */
  readonly slotKind: SlotKind;
  /**
   * Finds the runtime and what it runs on. Starting a sandbox to prove that it works is the
   * caller's part, the same for every driver.
   *
   * @throws LockstepError SANDBOX_UNAVAILABLE or TOOL_MISSING with the remedy as its hint.
   */
  detect(context: DriverContext): Promise<Record<string, string>>;
  /**
   * Does all that is not timed: files, cgroup, the gated child.
   *
   * @throws LockstepError IMAGE_INVALID if the function does not fit this kind of sandbox.
   */
  create(context: DriverContext, spec: SandboxSpec, observer: SandboxObserver): Promise<Sandbox>;
  /**
   * The files on this device that a start may read, such as a kernel and the image made of the
   * function; asked after {@link create}. Their state in the page cache is set and read back.
   * Absent: the files of the function.
   */
  coldFiles?(
    context: DriverContext,
    functionRoot: FunctionRoot,
  ): readonly string[] | Promise<readonly string[]>;
}
