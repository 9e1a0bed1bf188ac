import type { ProcedureKind } from '../../schemas/procedure.ts';
import type { Failure } from '../../schemas/failure.ts';
import type { Limitation, Provenance } from '../../schemas/provenance.ts';
import type { Cell } from '../../schemas/result.ts';

/** How the values of a source make trials. */
export type DraftShape =
  /** Each value is the time of one sandbox, and a trial. */
  | 'sandbox'
  /** The values of a cell are the times of the sandboxes of one batch, which is the trial. */
  | 'batch-of-rows'
  /** Each value is the time until all sandboxes of a batch were done, and a trial. */
  | 'batch-end'
  /** Each value is the memory of all sandboxes of the trial together, bytes. */
  | 'memory';

/** One value of a source. */
export interface SourceValue {
  /** Line in a CSV file, place in another; from 1. */
  readonly line: number;
  /** One object per cell. */
  readonly cell: Cell;
  /** A time in ns, or bytes of memory; a whole number. */
  readonly value: number;
  /** Why the measurement failed. Absent if it did not, or the source does not tell. */
  readonly failure?: Failure;
}

/** What was read from a file, before it becomes a run. */
export interface Draft {
  /** The kind of file. */
  readonly source: string;
  readonly shape: DraftShape;
  readonly procedure: ProcedureKind;
  readonly question: string;
  /** Where the value begins and ends, in words. */
  readonly meaning: string;
  readonly unit: Provenance['unit'];
  /** ns or bytes per unit. */
  readonly unitSize: number;
  /** In the order of the file. */
  readonly values: readonly SourceValue[];
  /**
   * listed: that is the order in which they were measured. blocks: it is, but all of a cell came
   * one after the other. rows: the source does not tell, unless its rows do.
   */
  readonly order: 'listed' | 'blocks' | 'rows';
  /** What no file of this kind can support, whatever is in it. */
  readonly limitations: readonly Limitation[];
}
