import { statfs } from 'node:fs/promises';
import { LockstepError } from '../../schemas/errors.ts';

/** Space that must be left for the record of a run to end in good order, bytes. */
const FREE_BYTES_MIN = 4 * 1024 * 1024;

/**
 * Makes sure that a disk still takes what a trial writes. A server on the same disk can't store
 * results either once it is full, and they would be waited for in vain.
 *
 * @throws LockstepError STORAGE_FULL if less than 4 MiB are left.
 */
export async function assertFreeSpace(folder: string): Promise<void> {
  const { bavail, bsize } = await statfs(folder);
  const freeBytes = bavail * bsize;
  if (freeBytes >= FREE_BYTES_MIN) return;
  throw new LockstepError(
    'STORAGE_FULL',
    `${freeBytes} bytes are left on the disk of ${folder}, of ${FREE_BYTES_MIN} at least`,
    { hint: 'Free some space; what was reported so far is kept.' },
  );
}
