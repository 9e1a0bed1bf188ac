import { LockstepError } from '../../schemas/errors.ts';

const HINT =
  'Restore the folder of the run from an archive or a copy, or move it away. Nothing in it was ' +
  'changed.';

/** The error RUN_DAMAGED: which file of a run's folder, what is wrong, and what to do next. */
export function damagedRun(
  path: string,
  what: string,
  options: { cause?: unknown; hint?: string } = {},
): LockstepError {
  return new LockstepError('RUN_DAMAGED', `${path}: ${what}`, { hint: HINT, ...options });
}
