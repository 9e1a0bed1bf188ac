import { createHash } from 'node:crypto';
import type { Plan } from '../../schemas/plan.ts';
import type { Run } from '../../schemas/run.ts';
import { ArchiveContent } from './archive-content.ts';
import { damagedArchive, readingArchiveError, unsupportedArchive } from './archive-error.ts';
import {
  ARCHIVE_VERSION,
  ArchiveManifest,
  digestOfManifest,
  isSafePath,
  MANIFEST_BYTES_MAX,
  MANIFEST_NAME,
} from './archive-manifest.ts';
import type { ArchivedFile } from './archive-manifest.ts';
import { readToEnd } from './read-to-end.ts';
import { readEntries, UnpackedLimit } from './archive-stream.ts';
import type { ArchiveEntry } from './archive-stream.ts';

/** What is in an archive. */
export interface ArchiveContents {
  readonly manifest: ArchiveManifest;
  readonly run: Run;
  readonly plan: Plan | undefined;
  /** Lines of results, and how many of them say that the trial failed. */
  readonly results: number;
  readonly failed: number;
}

/** Takes the files of an archive while it is verified. */
export interface ArchiveSink {
  /** All files are listed, none has come. */
  begin(manifest: ArchiveManifest): Promise<void>;
  /** One file comes; its bytes are right only if the whole archive turns out to be. */
  file(file: ArchivedFile, bytes: AsyncIterable<Buffer>): Promise<void>;
}

/**
 * Reads an archive to its end and checks it: format, list of files, each file's length and digest,
 * and the run in it by its schemas. Needs no data folder; memory is bounded.
 *
 * @throws LockstepError ARCHIVE_DAMAGED, which file and what; ARCHIVE_UNSUPPORTED, NOT_FOUND,
 * STORAGE_FAILED, and what the sink throws.
 */
export async function verifyArchive(path: string, sink?: ArchiveSink): Promise<ArchiveContents> {
  const limit = new UnpackedLimit();
  const verification = new Verification(path, limit, sink);
  await readEntries(path, limit, (entry) => verification.take(entry));
  return verification.end();
}

class Verification {
  readonly #archive: string;
  readonly #limit: UnpackedLimit;
  readonly #sink: ArchiveSink | undefined;
  #manifest: ArchiveManifest | undefined;
  #content: ArchiveContent | undefined;
  #filesSeen = 0;

  constructor(archive: string, limit: UnpackedLimit, sink: ArchiveSink | undefined) {
    this.#archive = archive;
    this.#limit = limit;
    this.#sink = sink;
  }

  async take(entry: ArchiveEntry): Promise<void> {
    if (this.#manifest === undefined) {
      this.#manifest = await this.#readManifest(entry);
      this.#limit.allow(this.#manifest.files.map(({ bytes }) => bytes));
      this.#content = new ArchiveContent(this.#manifest.runId);
      await this.#sink?.begin(this.#manifest);
      return;
    }
    const file = this.#expected(entry, this.#manifest.files);
    const bytes = this.#checkedBytes(entry, file);
    if (this.#sink === undefined) await readToEnd(bytes);
    else await this.#sink.file(file, bytes);
    this.#filesSeen += 1;
  }

  end(): ArchiveContents {
    if (this.#manifest === undefined || this.#content === undefined) {
      throw this.#foreign('it is empty');
    }
    const missing = this.#manifest.files[this.#filesSeen];
    if (missing !== undefined) {
      const { length } = this.#manifest.files;
      throw damagedArchive(
        this.#archive,
        `${missing.path} is missing; ${this.#filesSeen} of ${length} files are there`,
      );
    }
    try {
      return { manifest: this.#manifest, ...this.#content.end() };
    } catch (error) {
      throw readingArchiveError(error, this.#archive);
    }
  }

  async #readManifest(entry: ArchiveEntry): Promise<ArchiveManifest> {
    const { name, type, size } = entry.header;
    if (name !== MANIFEST_NAME || type !== 'file') {
      throw this.#foreign(`it begins with ${JSON.stringify(name)} and not with ${MANIFEST_NAME}`);
    }
    if (size > MANIFEST_BYTES_MAX) {
      throw damagedArchive(this.#archive, `${MANIFEST_NAME} has ${size} bytes: too many`);
    }
    const chunks: Buffer[] = [];
    for await (const chunk of entry.bytes) chunks.push(chunk);
    return this.#decodeManifest(Buffer.concat(chunks).toString('utf8'));
  }

  #decodeManifest(text: string): ArchiveManifest {
    let value: unknown;
    try {
      value = JSON.parse(text);
    } catch (cause) {
      throw damagedArchive(this.#archive, `${MANIFEST_NAME} is no JSON text`, cause);
    }
    const version = versionOf(value);
    if (version !== undefined && version !== ARCHIVE_VERSION) {
      throw unsupportedArchive(
        this.#archive,
        `is of archive format ${version}; this release reads ${ARCHIVE_VERSION}`,
        'Use a newer release of Lockstep.',
      );
    }
    const parsed = ArchiveManifest.safeParse(value);
    if (!parsed.success) {
      const [issue] = parsed.error.issues;
      const where = issue === undefined ? '' : `${issue.path.join('.')}: ${issue.message}`;
      throw damagedArchive(this.#archive, `${MANIFEST_NAME} is not as it should be: ${where}`);
    }
    if (digestOfManifest(parsed.data) !== parsed.data.digest) {
      throw damagedArchive(this.#archive, `${MANIFEST_NAME} does not match its own digest`);
    }
    return parsed.data;
  }

  /** The file that this entry must be. Entries stand in the order of the list. */
  #expected(entry: ArchiveEntry, files: readonly ArchivedFile[]): ArchivedFile {
    const { name, type, size } = entry.header;
    const told = JSON.stringify(name);
    if (!isSafePath(name)) throw damagedArchive(this.#archive, `${told} leads out of the archive`);
    if (type !== 'file') {
      throw damagedArchive(this.#archive, `${told} is no file but a ${type}`);
    }
    const expected = files[this.#filesSeen];
    if (expected === undefined || expected.path !== name) {
      const known = files.findIndex(({ path }) => path === name);
      const what = known === -1 ? 'not listed' : 'there twice or out of its order';
      throw damagedArchive(this.#archive, `${told} is ${what}`);
    }
    if (size !== expected.bytes) {
      throw damagedArchive(
        this.#archive,
        `${name} has ${size} bytes; ${expected.bytes} are listed`,
      );
    }
    return expected;
  }

  /** The bytes of an entry; when the last has come, digest and content are checked. */
  async *#checkedBytes(entry: ArchiveEntry, file: ArchivedFile): AsyncGenerator<Buffer> {
    const hash = createHash('sha256');
    const reader = this.#content?.readerOf(file.path, file.bytes);
    for await (const chunk of entry.bytes) {
      hash.update(chunk);
      reader?.push(chunk);
      yield chunk;
    }
    if (`sha256:${hash.digest('hex')}` !== file.digest) {
      throw damagedArchive(this.#archive, `${file.path} does not match its digest`);
    }
    reader?.end();
  }

  #foreign(why: string): Error {
    const hint = 'Archives of runs are made by: lockstep archive RUN';
    return unsupportedArchive(this.#archive, `is no archive of a run: ${why}`, hint);
  }
}

function versionOf(value: unknown): number | undefined {
  if (typeof value !== 'object' || value === null || !('archiveVersion' in value)) return undefined;
  return typeof value.archiveVersion === 'number' ? value.archiveVersion : undefined;
}
