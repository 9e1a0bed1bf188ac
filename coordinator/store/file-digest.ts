import { createHash } from 'node:crypto';
import { openRegular } from '../recording/regular-file.ts';

/** Bytes of a file, and their SHA-256 in hex. */
export interface FileDigest {
  readonly bytes: number;
  readonly sha256: string;
}

/** Bytes and digest of nothing. */
export const NOTHING: FileDigest = { bytes: 0, sha256: createHash('sha256').digest('hex') };

const READ_BYTES = 1 << 20;

/**
 * The digest of a file. Undefined if there is none.
 *
 * @throws LockstepError RUN_DAMAGED if it is no file; PERMISSION_MISSING, STORAGE_FAILED.
 */
export async function digestFile(path: string): Promise<FileDigest | undefined> {
  const file = await openRegular(path);
  if (file === undefined) return undefined;
  try {
    const hash = createHash('sha256');
    const buffer = Buffer.allocUnsafe(READ_BYTES);
    let bytes = 0;
    for (;;) {
      const { bytesRead } = await file.read(buffer, 0, READ_BYTES, null);
      if (bytesRead === 0) return { bytes, sha256: hash.digest('hex') };
      hash.update(buffer.subarray(0, bytesRead));
      bytes += bytesRead;
    }
  } finally {
    await file.close();
  }
}
