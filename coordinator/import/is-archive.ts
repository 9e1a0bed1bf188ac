import { open } from 'node:fs/promises';

/** Where a tar file says that it is one (POSIX.1-1988, ustar). */
const TAR_MAGIC_OFFSET = 257;
const TAR_MAGIC = 'ustar';
/** First bytes of a gzip file (RFC 1952), and of a Zstandard frame (RFC 8878). */
const COMPRESSED = ['1f8b', '28b52ffd'];

/** True if a file is a tar file, or compressed as archives are. False if it can't be read. */
export async function isArchive(path: string): Promise<boolean> {
  const head = Buffer.alloc(TAR_MAGIC_OFFSET + TAR_MAGIC.length);
  try {
    const file = await open(path, 'r');
    try {
      await file.read(head, 0, head.length, 0);
    } finally {
      await file.close();
    }
  } catch {
    return false;
  }
  const isCompressed = COMPRESSED.some((magic) => head.toString('hex').startsWith(magic));
  return isCompressed || head.toString('latin1', TAR_MAGIC_OFFSET) === TAR_MAGIC;
}
