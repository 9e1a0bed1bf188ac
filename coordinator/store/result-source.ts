import type { RunFolder } from '../recording/run-folder.ts';
import type { Plan } from '../../schemas/plan.ts';
import type { Run } from '../../schemas/run.ts';

/** The results that tables are made of. */
export interface ResultSource {
  readonly folder: RunFolder;
  readonly run: Run;
  /** Undefined if the run ended before it was planned. */
  readonly plan: Plan | undefined;
  /** Ends the reading of them. */
  readonly signal?: AbortSignal;
}
