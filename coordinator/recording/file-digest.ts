import { createHash } from 'node:crypto';
import { readChunks } from './line-reader.ts';
import { openRegular, readingError } from './regular-file.ts';

/** Bytes of a file, and their SHA-256 in hex. */
export interface FileDigest {
  readonly bytes: number;
  readonly sha256: string;
}

/** Bytes and digest of nothing. */
export const NOTHING: FileDigest = { bytes: 0, sha256: createHash('sha256').digest('hex') };

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
    let bytes = 0;
    for await (const chunk of readChunks(file)) {
      hash.update(chunk);
      bytes += chunk.length;
    }
    return { bytes, sha256: hash.digest('hex') };
  } catch (error) {
    throw readingError(error, path);
  } finally {
    await file.close();
  }
}
