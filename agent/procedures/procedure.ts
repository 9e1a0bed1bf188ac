import { LockstepError } from '../../schemas/errors.ts';
import type { Measurement } from '../../schemas/measurement.ts';
import type {
  Procedure as ProcedureParameters,
  ProcedureKind,
  ProcedureOf,
} from '../../schemas/procedure.ts';
import type { Cell, Instance, InvalidMark } from '../../schemas/result.ts';
import type { FinalReading, SandboxTarget } from '../collectors/collector.ts';
import type { SlotPool } from '../sandboxes/network.ts';
import type { InstanceContext } from './instance-life.ts';

/** What a procedure may use. */
export interface ProcedureContext extends InstanceContext {
  readonly slots: SlotPool;
  /** What the experiment says of the procedure; of the kind that is armed. */
  readonly parameters: ProcedureParameters;
  /** Of what is random within the trial. */
  readonly seed: number;
  /** Folders of tools by the name of their artefact, such as the load generator. */
  readonly tools: Readonly<Record<string, string>>;
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
  /** What was measured beside the phases. */
  readonly measurements?: Measurement[];
  /** Under which conditions, and what could not be measured and why, by name. */
  readonly conditions?: Record<string, string>;
  /** Marks that the procedure found itself. */
  readonly invalid?: InvalidMark[];
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

/**
 * The parameters of a procedure that is armed.
 *
 * @throws LockstepError MESSAGE_INVALID if they are of another kind.
 */
export function parametersOf<K extends ProcedureKind>(
  { parameters }: Pick<ProcedureContext, 'parameters'>,
  kind: K,
): ProcedureOf<K> {
  if (parameters.kind === kind) return parameters as ProcedureOf<K>;
  throw new LockstepError(
    'MESSAGE_INVALID',
    `the parameters are of procedure ${parameters.kind}, not of ${kind}`,
  );
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
