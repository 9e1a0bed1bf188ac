import type { ProcedureKind } from '../../schemas/experiment.ts';
import type { Cell, Instance } from '../../schemas/result.ts';
import type { FinalReading, SandboxTarget } from '../collectors/collector.ts';
import type { SlotPool } from '../sandboxes/network.ts';
import type { InstanceContext } from './instance-life.ts';

/** What a procedure may use. */
export interface ProcedureContext extends InstanceContext {
  readonly slots: SlotPool;
  /**
   * Waits at a named barrier until every device of the trial has reached it, then until the instant
   * that all go on at. Returns the stamp of going on, CLOCK_MONOTONIC, ns.
   *
   * @throws LockstepError BARRIER_BROKEN if a device will not come, CANCELLED.
   */
  readonly passBarrier: (name: string) => Promise<bigint>;
}

/** What came out of a trial on this device. */
export interface ProcedureOutcome {
  readonly instances: Instance[];
  /** What could not be removed. */
  readonly leftovers: string[];
  /** What the cgroups held at the end of the sandboxes. Empty unless asked for. */
  readonly finals: FinalReading[];
}

/** A trial whose untimed part is done. Either started once or stood down. */
export interface ArmedProcedure {
  /** What can be sampled while it runs. */
  readonly targets: readonly SandboxTarget[];
  /** Runs the timed part from this instant (CLOCK_MONOTONIC, ns), then cleans up. */
  start(requestAtMonoNs: bigint): Promise<ProcedureOutcome>;
  /** Cleans up without having started, and returns what could not be removed. */
  standDown(): Promise<readonly string[]>;
}

/** What is done in a trial. One file per procedure. */
export interface Procedure {
  readonly kind: ProcedureKind;
  /**
   * Does all that is not timed.
   *
   * @throws LockstepError whatever the driver or the network throws; nothing is left behind.
   */
  arm(context: ProcedureContext, cell: Cell): Promise<ArmedProcedure>;
}
