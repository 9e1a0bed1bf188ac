import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import type { ZlibOptions } from 'node:zlib';
import { extract } from 'tar-stream';
import type { Extract, Header } from 'tar-stream';
import { LockstepError } from '../../schemas/errors.ts';
import { damagedArchive, readingArchiveError, unsupportedArchive } from './archive-error.ts';
import { MANIFEST_BYTES_MAX } from './archive-manifest.ts';

/** One entry of an archive. Its bytes must be read to their end. */
export interface ArchiveEntry {
  readonly header: Pick<Header, 'name' | 'type' | 'size'>;
  readonly bytes: AsyncIterable<Buffer>;
}

const BLOCK_BYTES = 512;

/** For the header of an entry and, with a long name, the headers before it, bytes. */
const HEADERS_BYTES_MAX = 8 * BLOCK_BYTES;

/** For the end of the archive, and for what is read ahead, bytes. */
const SLACK_BYTES = 1024 * 1024;

/** How much an archive may have when unpacked, so that a small file can't fill a disk. */
export class UnpackedLimit {
  #bytesMax = MANIFEST_BYTES_MAX + SLACK_BYTES;
  #bytes = 0;

  /** Allows what the entries need that the manifest lists. */
  allow(sizes: readonly number[]): void {
    const blocks = sizes.map((size) => Math.ceil(size / BLOCK_BYTES) * BLOCK_BYTES);
    this.#bytesMax += blocks.reduce((sum, size) => sum + size + HEADERS_BYTES_MAX, 0);
  }

  /** Counts bytes. True as long as there are not too many. */
  add(bytes: number): boolean {
    this.#bytes += bytes;
    return this.#bytes <= this.#bytesMax;
  }
}

/**
 * Gives the entries of a compressed archive, in order, to `take`; reading waits for it.
 *
 * @throws LockstepError ARCHIVE_DAMAGED, ARCHIVE_UNSUPPORTED, NOT_FOUND, STORAGE_FAILED, and what
 * `take` throws, where RUN_DAMAGED becomes ARCHIVE_DAMAGED.
 */
export async function readEntries(
  path: string,
  limit: UnpackedLimit,
  take: (entry: ArchiveEntry) => Promise<void>,
): Promise<void> {
  await assertCompressed(path);
  const guard = new Transform({
    transform: (chunk: Buffer, _encoding, done) => {
      if (limit.add(chunk.length)) done(null, chunk);
      else done(damagedArchive(path, 'unpacks to more than its list of files says'));
    },
  });
  const entries = extract();
  // Known to Node, though not to its types.
  const options: ZlibOptions & { rejectGarbageAfterEnd: boolean } = { rejectGarbageAfterEnd: true };
  const fed = pipeline(createReadStream(path), createGunzip(options), guard, entries);
  const taken = takeAll(entries, take).catch((error: unknown) => {
    entries.destroy(error instanceof Error ? error : new Error(String(error)));
    throw error;
  });
  const [feeding, taking] = await Promise.allSettled([fed, taken]);
  // What was found in the content tells more than that reading then broke off.
  const isOfContent = taking.status === 'rejected' && taking.reason instanceof LockstepError;
  if (isOfContent) throw readingArchiveError(taking.reason, path);
  if (feeding.status === 'rejected') throw readingArchiveError(feeding.reason, path);
  if (taking.status === 'rejected') throw readingArchiveError(taking.reason, path);
}

async function takeAll(
  entries: Extract,
  take: (entry: ArchiveEntry) => Promise<void>,
): Promise<void> {
  for await (const entry of entries) {
    await take({ header: entry.header, bytes: entry as AsyncIterable<Buffer> });
  }
}

/** @throws LockstepError ARCHIVE_UNSUPPORTED unless the file begins as gzip does (RFC 1952). */
async function assertCompressed(path: string): Promise<void> {
  const start = Buffer.alloc(3);
  try {
    const file = await open(path, 'r');
    try {
      await file.read(start, 0, start.length, 0);
    } finally {
      await file.close();
    }
  } catch (error) {
    throw readingArchiveError(error, path);
  }
  if (start.equals(Buffer.from([0x1f, 0x8b, 0x08]))) return;
  const hint = 'Archives of runs are made by: lockstep archive RUN';
  throw unsupportedArchive(path, 'is no archive of a run: it is not compressed by gzip', hint);
}
