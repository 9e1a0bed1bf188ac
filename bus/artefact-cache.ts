import { createHash, randomUUID } from 'node:crypto';
import { constants, createReadStream } from 'node:fs';
import {
  access,
  chmod,
  copyFile,
  link,
  mkdir,
  open,
  readFile,
  readdir,
  rename,
  rm,
  stat,
} from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { ArtefactManifest } from '../schemas/artefact.ts';
import type { ArtefactFile } from '../schemas/artefact.ts';
import { LockstepError, errorMessageOf } from '../schemas/errors.ts';
import { decodeMessage } from '../schemas/protocol.ts';
import { Digest, Identifier } from '../schemas/units.ts';
import { canonicalJson } from './canonical-json.ts';

/** The digest and the size of some content. */
export interface BlobReference {
  /** `sha256:` and 64 hex digits. */
  readonly digest: string;
  readonly sizeBytes: number;
}

const BLOB_MODE = 0o444;
const EMPTY_FOLDERS = ['proc', 'dev', 'sys', 'tmp', 'etc'];
const TEMPORARY_PREFIX = '.new-';
const TEMPORARY_AGE_MS_MAX = 3_600_000;
const NAMES_MAX = 1024;

/**
 * A folder of artefacts by digest: `blobs/` holds the content of files, `manifests/` what an
 * artefact is made of, `names.json` the digests of what was built here, and `roots/` assembled
 * folders. Everything is written under another name, synced and renamed, so that a reader never
 * sees half of it and several processes may share one folder.
 */
export class ArtefactCache {
  readonly folder: string;
  #prepared: Promise<void> | undefined;

  constructor(folder: string) {
    this.folder = folder;
  }

  /**
   * Keeps the content of a file.
   *
   * @throws LockstepError STORAGE_FULL or STORAGE_FAILED if it cannot be written.
   */
  async putFile(sourcePath: string): Promise<BlobReference> {
    return this.#store(createReadStream(sourcePath), undefined);
  }

  /** Keeps some bytes; otherwise like {@link putFile}. */
  async putBytes(bytes: Uint8Array): Promise<BlobReference> {
    return this.#store([bytes], undefined);
  }

  /**
   * Keeps content that comes from elsewhere and must be what was promised. Reads no more than the
   * promised size.
   *
   * @throws LockstepError ARTEFACT_CORRUPT if size or digest differ; nothing is kept then.
   */
  async putStream(
    source: AsyncIterable<Uint8Array>,
    expected: BlobReference,
  ): Promise<BlobReference> {
    return this.#store(source, expected);
  }

  /** Whether the content with this digest is here. */
  async hasBlob(digest: string): Promise<boolean> {
    return exists(this.blobPath(digest));
  }

  /** Where the content with this digest is or would be. */
  blobPath(digest: string): string {
    return join(this.folder, 'blobs', hexOf(digest));
  }

  /** Keeps a manifest and returns the artefact's digest. */
  async putManifest(manifest: ArtefactManifest): Promise<string> {
    const text = canonicalJson(ArtefactManifest.parse(manifest));
    const digest = digestOf(text);
    await this.#writeText(this.#manifestPath(digest), text, BLOB_MODE);
    return digest;
  }

  /**
   * Reads a manifest and checks it against its digest.
   *
   * @throws LockstepError ARTEFACT_MISSING if it is not here.
   * @throws LockstepError ARTEFACT_CORRUPT if its content is not what the digest says.
   */
  async readManifest(digest: string): Promise<ArtefactManifest> {
    const text = await readText(this.#manifestPath(digest));
    if (text === undefined) throw missing('manifest', digest);
    if (digestOf(text) !== digest) {
      await rm(this.#manifestPath(digest), { force: true });
      throw corrupt(`manifest ${digest}`, `its content has the digest ${digestOf(text)}`);
    }
    return decodeMessage(ArtefactManifest, JSON.parse(text), `artefact ${digest}`);
  }

  /**
   * Makes the artefact's files stand in a folder, once; the folder must not be written to. Files
   * are hard links of the kept content where their mode allows it.
   *
   * @returns the path of the folder.
   * @throws LockstepError ARTEFACT_MISSING or ARTEFACT_CORRUPT; corrupt content is removed, so that
   * it is fetched again.
   */
  async assemble(digest: string): Promise<string> {
    const target = join(this.folder, 'roots', hexOf(digest));
    if (await exists(target)) return target;
    const manifest = await this.readManifest(digest);
    await this.#prepare();
    const temporary = join(this.folder, 'roots', temporaryName());
    try {
      for (const name of EMPTY_FOLDERS) await mkdir(join(temporary, name), { recursive: true });
      await chmod(join(temporary, 'tmp'), 0o1777);
      for (const file of manifest.files) await this.#place(file, temporary);
      await rename(temporary, target);
    } catch (error) {
      if (!isCode(error, 'ENOTEMPTY', 'EEXIST')) throw storageError(error, 'assemble', target);
    } finally {
      await rm(temporary, { recursive: true, force: true });
    }
    return target;
  }

  /** The digests of what was built into this cache, by name. */
  async names(): Promise<Record<string, string>> {
    const text = await readText(this.#namesPath());
    if (text === undefined) return {};
    const entries = Object.entries(JSON.parse(text) as Record<string, unknown>);
    const names: Record<string, string> = {};
    for (const [name, digest] of entries.slice(0, NAMES_MAX)) {
      names[Identifier.parse(name)] = Digest.parse(digest);
    }
    return names;
  }

  /** Gives an artefact a name. Only one process at a time may build into a cache. */
  async setName(name: string, digest: string): Promise<void> {
    const names = { ...(await this.names()), [Identifier.parse(name)]: Digest.parse(digest) };
    await this.#writeText(this.#namesPath(), `${canonicalJson(names)}\n`, 0o644);
  }

  #manifestPath(digest: string): string {
    return join(this.folder, 'manifests', `${hexOf(digest)}.json`);
  }

  #namesPath(): string {
    return join(this.folder, 'names.json');
  }

  /** Makes the folders, and removes what writers that were killed have left. */
  async #prepare(): Promise<void> {
    this.#prepared ??= prepareFolders(this.folder);
    return this.#prepared;
  }

  async #store(
    source: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
    expected: BlobReference | undefined,
  ): Promise<BlobReference> {
    await this.#prepare();
    const temporary = join(this.folder, 'blobs', temporaryName());
    try {
      const written = await writeSynced(temporary, source, expected);
      if (expected !== undefined && written.digest !== expected.digest) {
        throw corrupt(`content ${expected.digest}`, `what arrived has ${written.digest}`);
      }
      await publish(temporary, this.blobPath(written.digest));
      return written;
    } catch (error) {
      throw storageError(error, 'write', temporary);
    } finally {
      await rm(temporary, { force: true });
    }
  }

  async #writeText(path: string, text: string, mode: number): Promise<void> {
    await this.#prepare();
    const temporary = join(dirname(path), temporaryName());
    try {
      await writeSynced(temporary, [Buffer.from(text)], undefined);
      await chmod(temporary, mode);
      await publish(temporary, path);
    } catch (error) {
      throw storageError(error, 'write', path);
    } finally {
      await rm(temporary, { force: true });
    }
  }

  /** Puts one file into a root, after checking what it is made of. */
  async #place(file: ArtefactFile, root: string): Promise<void> {
    const blob = this.blobPath(file.digest);
    if (!(await exists(blob))) throw missing('content', file.digest);
    const hash = createHash('sha256');
    for await (const chunk of createReadStream(blob)) hash.update(chunk as Uint8Array);
    const found = `sha256:${hash.digest('hex')}`;
    if (found !== file.digest) {
      await rm(blob, { force: true });
      throw corrupt(`content ${file.digest} (${file.path})`, `on disk it has ${found}`);
    }
    const path = join(root, file.path);
    await mkdir(dirname(path), { recursive: true });
    if (file.mode === BLOB_MODE && (await tryLink(blob, path))) return;
    await copyFile(blob, path, constants.COPYFILE_FICLONE | constants.COPYFILE_EXCL);
    const copy = await open(path, 'r');
    try {
      await copy.chmod(file.mode);
      await copy.sync();
    } finally {
      await copy.close();
    }
  }
}

/** Writes content and syncs it; returns what was written. Stops at the expected size. */
async function writeSynced(
  path: string,
  source: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  expected: BlobReference | undefined,
): Promise<BlobReference> {
  const sizeBytesMax = expected?.sizeBytes ?? Number.MAX_SAFE_INTEGER;
  const hash = createHash('sha256');
  let sizeBytes = 0;
  const file = await open(path, 'wx', 0o600);
  try {
    for await (const chunk of source) {
      sizeBytes += chunk.length;
      if (sizeBytes > sizeBytesMax) {
        throw corrupt(`content ${expected?.digest ?? ''}`, `it is over ${sizeBytesMax} bytes`);
      }
      hash.update(chunk);
      await file.appendFile(chunk);
    }
    if (expected !== undefined && sizeBytes !== sizeBytesMax) {
      throw corrupt(`content ${expected.digest}`, `${sizeBytes} of ${sizeBytesMax} bytes arrived`);
    }
    await file.chmod(BLOB_MODE);
    await file.sync();
  } finally {
    await file.close();
  }
  return { digest: `sha256:${hash.digest('hex')}`, sizeBytes };
}

/** Renames a finished file into place and makes the new name durable. */
async function publish(temporary: string, path: string): Promise<void> {
  await rename(temporary, path);
  const folder = await open(dirname(path), 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

async function prepareFolders(folder: string): Promise<void> {
  for (const name of ['blobs', 'manifests', 'roots']) {
    const path = join(folder, name);
    try {
      await mkdir(path, { recursive: true });
      for (const entry of await readdir(path)) {
        if (entry.startsWith(TEMPORARY_PREFIX)) await removeIfOld(join(path, entry));
      }
    } catch (error) {
      throw storageError(error, 'prepare', path);
    }
  }
}

async function removeIfOld(path: string): Promise<void> {
  const found = await stat(path).catch(() => undefined);
  if (found === undefined || Date.now() - found.mtimeMs < TEMPORARY_AGE_MS_MAX) return;
  await rm(path, { recursive: true, force: true });
}

/** Links where the file system and the owner of the content allow it. */
async function tryLink(existing: string, path: string): Promise<boolean> {
  try {
    await link(existing, path);
    return true;
  } catch (error) {
    if (isCode(error, 'EXDEV', 'EPERM', 'EMLINK', 'EACCES', 'ENOTSUP')) return false;
    throw error;
  }
}

async function readText(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (isCode(error, 'ENOENT')) return undefined;
    throw storageError(error, 'read', path);
  }
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

function temporaryName(): string {
  return `${TEMPORARY_PREFIX}${randomUUID()}`;
}

function digestOf(text: string): string {
  return `sha256:${createHash('sha256').update(text).digest('hex')}`;
}

function hexOf(digest: string): string {
  return Digest.parse(digest).slice('sha256:'.length);
}

function isCode(error: unknown, ...codes: string[]): boolean {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  return typeof code === 'string' && codes.includes(code);
}

function missing(what: string, digest: string): LockstepError {
  return new LockstepError('ARTEFACT_MISSING', `the ${what} ${digest} is not in the cache`, {
    hint: 'Run `npm run setup`, or fetch the artefact from the store again.',
  });
}

function corrupt(what: string, why: string): LockstepError {
  return new LockstepError('ARTEFACT_CORRUPT', `the ${what} is not what it should be: ${why}`, {
    hint: 'Fetch it again; if that repeats, check the disk and the sender.',
  });
}

function storageError(error: unknown, verb: string, path: string): LockstepError {
  if (error instanceof LockstepError) return error;
  const isFull = isCode(error, 'ENOSPC', 'EDQUOT');
  return new LockstepError(
    isFull ? 'STORAGE_FULL' : 'STORAGE_FAILED',
    `could not ${verb} ${path}: ${errorMessageOf(error)}`,
    { cause: error, hint: isFull ? 'Free some space and try again.' : 'Check the disk.' },
  );
}
