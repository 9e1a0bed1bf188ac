import type { Failure } from '../../schemas/failure.ts';
import type { ProcedureKind } from '../../schemas/procedure.ts';
import type { Run } from '../../schemas/run.ts';
import type { Cell } from '../../schemas/result.ts';
import type { HostedValue } from '../analysis/host-ratio.ts';
import type { QuantityName } from './quantities.ts';

/** What became of a cell: it has values, or a reason why not. */
export type CellStatus = 'filled' | 'failed' | 'unavailable' | 'not-run';

/** One cell of one experiment of the suite. */
export interface StudyCell {
  readonly cell: Cell;
  readonly status: CellStatus;
  /** Why it is not filled, with the class of the failure first. Absent for one that is. */
  readonly reason?: string;
  /** Results that were tried, and how many of them failed or are invalid. */
  readonly attempts: number;
  readonly failures: number;
  /** What its sandbox ran on: version, accelerator and the like. Empty if nobody told. */
  readonly setUp: string;
  /** A value per trial and host, in the unit of the quantity. Absent: not measured. */
  readonly values: Partial<Record<QuantityName, readonly HostedValue[]>>;
}

/** What became of one experiment. */
export type ExperimentState = 'done' | 'failed' | 'not-run';

/** One experiment of the suite with everything that was measured. */
export interface MeasuredExperiment {
  /** As in the suite. */
  readonly name: string;
  readonly state: ExperimentState;
  /** What was done in it. Absent if that is not known. */
  readonly experiment?: {
    readonly kind: ProcedureKind;
    readonly procedure: Run['experiment']['procedure'];
  };
  readonly runId?: string;
  readonly failure?: Failure;
  readonly cells: readonly StudyCell[];
}
