import { LockstepError } from '../../schemas/errors.ts';
import { storageError } from '../recording/run-folder.ts';

const DAMAGED_HINT = 'Get the archive again from where it was made; nothing of it was taken in.';

/** The error ARCHIVE_DAMAGED: which archive, and what of it is wrong. */
export function damagedArchive(archive: string, what: string, cause?: unknown): LockstepError {
  return new LockstepError('ARCHIVE_DAMAGED', `${archive}: ${what}`, {
    cause,
    hint: DAMAGED_HINT,
  });
}

/** The error ARCHIVE_UNSUPPORTED: no archive, or one of another format. */
export function unsupportedArchive(archive: string, what: string, hint: string): LockstepError {
  return new LockstepError('ARCHIVE_UNSUPPORTED', `${archive}: ${what}`, { hint });
}

/** Texts for the errors of decompression; anything else that it says is told as it is. */
const STREAM_TEXTS: Readonly<Record<string, string>> = {
  Z_BUF_ERROR: 'is cut off: its compressed data ends early',
  Z_DATA_ERROR: 'its compressed data is damaged',
  ERR_TRAILING_JUNK_AFTER_STREAM_END: 'something follows the end of its compressed data',
};

/** Turns what failed while an archive was read into an error for people. */
export function readingArchiveError(cause: unknown, archive: string): unknown {
  if (cause instanceof LockstepError) return fromContent(cause, archive);
  if (!(cause instanceof Error)) return cause;
  if ('syscall' in cause) {
    return 'code' in cause && cause.code === 'ENOENT'
      ? new LockstepError('NOT_FOUND', `there is no ${archive}`, { cause })
      : storageError(cause, `cannot read ${archive}`);
  }
  const code = 'code' in cause ? String(cause.code) : '';
  if (Object.hasOwn(STREAM_TEXTS, code)) {
    return damagedArchive(archive, STREAM_TEXTS[code] ?? code, cause);
  }
  // The reader of tar archives has no codes; its texts are these, and there are no others.
  if (/tar header|end of data|Invalid header|max size|pax|Premature close/i.test(cause.message)) {
    return damagedArchive(archive, `its tar data is damaged: ${cause.message}`, cause);
  }
  return cause;
}

function fromContent(cause: LockstepError, archive: string): LockstepError {
  if (cause.code === 'RUN_DAMAGED') return damagedArchive(archive, cause.message, cause);
  if (cause.code !== 'PROTOCOL_UNSUPPORTED') return cause;
  return unsupportedArchive(archive, cause.message, 'A newer release wrote it; use that one.');
}
