import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { constants, createZstdCompress, createZstdDecompress } from 'node:zlib';
import { StorageType } from '@nats-io/jetstream';
import { Objm } from '@nats-io/obj';
import type { ObjectStore } from '@nats-io/obj';
import type { Logger } from 'pino';
import { z } from 'zod';
import { ArtefactManifest } from '../schemas/artefact.ts';
import { errorCodeOf, errorMessageOf, LockstepError } from '../schemas/errors.ts';
import { protocolField } from '../schemas/protocol.ts';
import { ARTEFACTS_BUCKET, BLOBS_BUCKET } from '../schemas/subjects.ts';
import { Digest } from '../schemas/units.ts';
import type { ArtefactCache, BlobReference } from './artefact-cache.ts';
import type { Bus } from './bus.ts';
import { canonicalJson } from './canonical-json.ts';
import { withFileLock } from './file-lock.ts';
import { openBucket } from './key-value.ts';
import type { KeyValue } from './key-value.ts';
import { ObjectReader } from './object-reader.ts';
import { streamError } from './streams.ts';
import { decodeFromBytes, MAX_MESSAGE_BYTES } from './wire-format.ts';

const ArtefactName = z.object({ ...protocolField, digest: Digest });

const STORE_BYTES = 4 * 1024 ** 3;
const CHUNK_BYTES = 512 * 1024;
const CHUNK_TIMEOUT_MS = 30_000;
const ZSTD_LEVEL = 3;

/**
 * Opens the store of artefacts, and creates it if it is not there.
 *
 * @param options.create false: for users who may only read; it must exist
 */
export async function openArtefactStore(
  bus: Bus,
  options: { create?: boolean; logger?: Logger } = {},
): Promise<ArtefactStore> {
  const { create = true, logger } = options;
  const definition = { bucket: ARTEFACTS_BUCKET, schema: ArtefactName };
  const names = await openBucket(bus, definition, { create });
  const reader = new ObjectReader(bus, BLOBS_BUCKET);
  if (!create) return new ArtefactStore({ names, reader, writer: undefined, logger });
  try {
    const writer = await new Objm(bus.connection).create(BLOBS_BUCKET, {
      storage: StorageType.File,
      max_bytes: STORE_BYTES,
    });
    return new ArtefactStore({ names, reader, writer, logger });
  } catch (error) {
    throw streamError(error, `opening store ${BLOBS_BUCKET}`);
  }
}

interface ArtefactStoreParts {
  names: KeyValue<typeof ArtefactName>;
  reader: ObjectReader;
  /** Absent: this user may only read. */
  writer: ObjectStore | undefined;
  logger: Logger | undefined;
}

/**
 * Artefacts in a NATS object store: manifests and files under their digest, compressed by zstd, so
 * that equal files are kept once. What is read is checked against its digest.
 */
export class ArtefactStore {
  readonly #parts: ArtefactStoreParts;

  constructor(parts: ArtefactStoreParts) {
    this.#parts = parts;
  }

  /**
   * Puts an artefact of the cache into the store: files first, then the manifest. What is there
   * already is left alone.
   *
   * @throws LockstepError ARTEFACT_MISSING if the cache lacks a part of it, ARTEFACT_CORRUPT if it
   * did not arrive whole, STORAGE_FULL.
   */
  async publish(cache: ArtefactCache, digest: string): Promise<void> {
    const manifest = await cache.readManifest(digest);
    for (const file of manifest.files) {
      if (!(await cache.hasBlob(file.digest))) {
        throw new LockstepError(
          'ARTEFACT_MISSING',
          `file ${file.path} of artefact ${manifest.name} (${digest}) is not in the cache`,
          { hint: 'Build the artefact again.' },
        );
      }
      const path = cache.blobPath(file.digest);
      await this.#put({ digest: file.digest, sizeBytes: file.sizeBytes }, () =>
        createReadStream(path),
      );
    }
    const text = Buffer.from(canonicalJson(manifest));
    await this.#put({ digest, sizeBytes: text.byteLength }, () => Readable.from([text]));
  }

  /**
   * Fetches what the cache lacks of an artefact. Processes that share a cache fetch a file once.
   *
   * @throws LockstepError ARTEFACT_MISSING if the store lacks a part of it, ARTEFACT_CORRUPT if
   * something is not what its digest says (nothing of it is kept), CANCELLED.
   */
  async fetch(cache: ArtefactCache, digest: string, signal?: AbortSignal): Promise<void> {
    const manifest = await this.#fetchManifest(cache, digest);
    for (const { digest: fileDigest, sizeBytes } of manifest.files) {
      throwIfAborted(signal, digest);
      if (await cache.hasBlob(fileDigest)) continue;
      const lock = join(cache.folder, 'locks', `${fileDigest.slice('sha256:'.length)}.lock`);
      await withFileLock(
        lock,
        async () => {
          if (await cache.hasBlob(fileDigest)) return;
          const content = this.#read({ digest: fileDigest, sizeBytes });
          await cache.putStream(content, { digest: fileDigest, sizeBytes });
        },
        signal,
      );
    }
  }

  /** Makes artefacts known by name. */
  async publishNames(names: Readonly<Record<string, string>>): Promise<void> {
    for (const [name, digest] of Object.entries(names)) {
      await this.#parts.names.put(name, { digest });
    }
  }

  /** The digest of the artefact of that name. Absent (undefined) if there is none. */
  async lookupName(name: string): Promise<string | undefined> {
    return (await this.#parts.names.get(name))?.digest;
  }

  async #fetchManifest(cache: ArtefactCache, digest: string): Promise<ArtefactManifest> {
    try {
      return await cache.readManifest(digest);
    } catch (error) {
      if (!['ARTEFACT_MISSING', 'ARTEFACT_CORRUPT'].includes(errorCodeOf(error))) throw error;
    }
    const chunks: Uint8Array[] = [];
    const bounded = this.#read({ digest, sizeBytes: MAX_MESSAGE_BYTES });
    for await (const chunk of bounded) chunks.push(chunk);
    const bytes = Buffer.concat(chunks);
    checkDigest(digest, createHash('sha256').update(bytes).digest('hex'));
    const manifest = decodeFromBytes(ArtefactManifest, bytes, `artefact ${digest}`);
    // A newer release may know fields that this one would drop: then the digest is another.
    checkDigest(digest, (await cache.putManifest(manifest)).slice('sha256:'.length));
    return manifest;
  }

  /** The decompressed content; ends with an error when it is longer than it may be. */
  async *#read({ digest, sizeBytes }: BlobReference): AsyncGenerator<Uint8Array, void, undefined> {
    const compressed = Readable.from(this.#parts.reader.read(digest), { objectMode: false });
    const content = decompressed(compressed);
    let receivedBytes = 0;
    try {
      for await (const chunk of content) {
        const bytes = chunk as Uint8Array;
        receivedBytes += bytes.byteLength;
        if (receivedBytes > sizeBytes) {
          throw corrupt(digest, `it is over ${sizeBytes} bytes`);
        }
        yield bytes;
      }
    } catch (error) {
      if (error instanceof LockstepError) throw error;
      throw corrupt(digest, errorMessageOf(error), error);
    } finally {
      compressed.destroy();
      content.destroy();
    }
  }

  async #put(blob: BlobReference, open: () => Readable): Promise<void> {
    const { reader, writer, logger } = this.#parts;
    if (writer === undefined) {
      throw new LockstepError('BUS_DENIED', 'the store of artefacts was opened for reading only');
    }
    if (await reader.has(blob.digest)) return;
    const source = open();
    const compressed = piped(
      source,
      createZstdCompress({ params: { [constants.ZSTD_c_compressionLevel]: ZSTD_LEVEL } }),
    );
    try {
      const info = await writer.put(
        { name: blob.digest, options: { max_chunk_size: CHUNK_BYTES } },
        Readable.toWeb(compressed) as ReadableStream<Uint8Array>,
        { timeout: CHUNK_TIMEOUT_MS },
      );
      await this.#verify(blob);
      logger?.debug({ ...blob, storedBytes: info.size }, 'stored');
    } catch (error) {
      throw streamError(error, `storing ${blob.digest} in stream of ${BLOBS_BUCKET}`);
    } finally {
      source.destroy();
      compressed.destroy();
    }
  }

  // Reads back what was put; what is not as it should be is removed, so that it is put again.
  async #verify({ digest, sizeBytes }: BlobReference): Promise<void> {
    try {
      const hash = createHash('sha256');
      for await (const chunk of this.#read({ digest, sizeBytes })) hash.update(chunk);
      checkDigest(digest, hash.digest('hex'));
    } catch (error) {
      if (errorCodeOf(error) === 'ARTEFACT_CORRUPT') await this.#parts.writer?.delete(digest);
      throw error;
    }
  }
}

function decompressed(compressed: Readable): Readable {
  return piped(compressed, createZstdDecompress());
}

// An error of the source ends the target with the same error.
function piped<T extends Readable & NodeJS.WritableStream>(source: Readable, target: T): T {
  source.once('error', (error) => target.destroy(error));
  source.pipe(target);
  return target;
}

function checkDigest(expected: string, foundHex: string): void {
  if (expected === `sha256:${foundHex}`) return;
  throw corrupt(expected, `its content has sha256:${foundHex}`);
}

function corrupt(digest: string, why: string, cause?: unknown): LockstepError {
  return new LockstepError('ARTEFACT_CORRUPT', `${digest} in the store is damaged: ${why}`, {
    hint: 'Remove it from the store and publish it again.',
    cause,
  });
}

function throwIfAborted(signal: AbortSignal | undefined, digest: string): void {
  if (signal?.aborted !== true) return;
  throw new LockstepError('CANCELLED', `fetching artefact ${digest} was cancelled`);
}
