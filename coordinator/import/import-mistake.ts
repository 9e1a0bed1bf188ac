import { LockstepError } from '../../schemas/errors.ts';

/** A mistake in a file to import. */
export interface ImportMistake {
  /** Line in the file, from 1. Absent if it is about the whole file. */
  readonly line?: number;
  readonly message: string;
}

/** Most mistakes that are told one by one. */
const MISTAKES_SHOWN_MAX = 20;

/**
 * All mistakes of a file as one error, at most 20 of them with their lines.
 *
 * @param fileName as it is shown
 */
export function importError(
  fileName: string,
  mistakes: readonly ImportMistake[],
  hint?: string,
): LockstepError {
  const shown = mistakes
    .slice(0, MISTAKES_SHOWN_MAX)
    .map(({ line, message }) =>
      line === undefined ? `${fileName}: ${message}` : `${fileName}:${line}: ${message}`,
    );
  const more = mistakes.length - shown.length;
  if (more > 0) shown.push(`and ${more} more`);
  return new LockstepError('IMPORT_INVALID', shown.join('\n'), hint === undefined ? {} : { hint });
}
