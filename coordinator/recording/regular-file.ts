import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { LockstepError } from '../../schemas/errors.ts';
import { damagedRun } from './run-damaged.ts';

/**
 * Opens a file of a run's folder to read it. Undefined if there is none. Links are not followed:
 * they may lead out of the folder, and its content would then not be its own. Nor is a pipe
 * waited for.
 *
 * @throws LockstepError RUN_DAMAGED if it is no file, or its folder is none.
 * @throws LockstepError PERMISSION_MISSING, STORAGE_FAILED.
 */
export async function openRegular(path: string): Promise<FileHandle | undefined> {
  let file: FileHandle;
  try {
    file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw openingError(error, path);
  }
  try {
    if ((await file.stat()).isFile()) return file;
  } catch (error) {
    await file.close();
    throw readingError(error, path);
  }
  await file.close();
  throw damagedRun(path, 'is no file');
}

/** An error of the file system while reading becomes STORAGE_FAILED; any other stays as it is. */
export function readingError(cause: unknown, path: string): Error {
  if (cause instanceof Error && !('syscall' in cause)) return cause;
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new LockstepError('STORAGE_FAILED', `cannot read ${path}: ${reason}`, { cause });
}

/** True if the error says that there is no such file. */
export function isMissing(error: unknown): boolean {
  return codeOf(error) === 'ENOENT';
}

function openingError(cause: unknown, path: string): Error {
  const code = codeOf(cause);
  if (code === 'ELOOP') return damagedRun(path, 'is a link, and may lead out of the folder');
  if (code === 'ENOTDIR') return damagedRun(path, 'a file stands where its folder should be');
  if (code === 'EACCES' || code === 'EPERM') {
    return new LockstepError('PERMISSION_MISSING', `cannot read ${path}: it is not permitted`, {
      cause,
      hint: 'Read it as the user who wrote it, or have its permissions changed.',
    });
  }
  return readingError(cause, path);
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined;
}
