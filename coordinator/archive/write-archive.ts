import { createHash, randomUUID } from 'node:crypto';
import { open, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import { pack } from 'tar-stream';
import type { Pack } from 'tar-stream';
import type { Run } from '../../schemas/run.ts';
import { VERSION } from '../../schemas/version.ts';
import { damagedRun } from '../recording/run-damaged.ts';
import { storageError } from '../recording/run-folder.ts';
import type { RunFolder } from '../recording/run-folder.ts';
import {
  ARCHIVE_VERSION,
  digestOfManifest,
  MANIFEST_NAME,
  README_NAME,
} from './archive-manifest.ts';
import type { ArchivedFile, ArchiveManifest } from './archive-manifest.ts';
import { archiveReadme } from './archive-readme.ts';
import { bytesOfFile, filesOfFolder } from './folder-files.ts';
import { syncFolder } from '../../bus/sync-folder.ts';

const COMPRESSION_LEVEL = 6;
const MODE = 0o644;

/**
 * Writes everything of a run into one file: a tar archive, compressed by gzip. The same folder
 * gives the same bytes, with the same versions of Lockstep and Node. The file appears when it is
 * complete and on disk; until then, and after a failure, there is none, or the older one.
 *
 * @param run the record of the run, which must have ended
 * @param path where to
 * @throws LockstepError RUN_DAMAGED if the folder can't be archived or changes meanwhile,
 * STORAGE_FULL, STORAGE_FAILED, PERMISSION_MISSING.
 */
export async function writeArchive(
  folder: RunFolder,
  run: Run,
  path: string,
): Promise<ArchiveManifest> {
  const ofRun = await filesOfFolder(folder.folder);
  const readme = Buffer.from(archiveReadme(run, ofRun));
  const manifest = makeManifest(run, [
    { path: README_NAME, bytes: readme.length, digest: digestOf(readme) },
    ...ofRun,
  ]);
  const temporary = join(dirname(path), `.${randomUUID()}.tmp`);
  try {
    await writeCompressed(temporary, async (tar) => {
      const modified = new Date(manifest.createdAtUtcMs);
      addText(tar, MANIFEST_NAME, Buffer.from(`${JSON.stringify(manifest, null, 2)}\n`), modified);
      addText(tar, README_NAME, readme, modified);
      for (const file of ofRun) await addFile(tar, folder.folder, file, modified);
    });
    await rename(temporary, path);
    await syncFolder(dirname(path));
  } catch (error) {
    throw error instanceof Error && 'syscall' in error
      ? storageError(error, `cannot write ${path}`)
      : error;
  } finally {
    await rm(temporary, { force: true });
  }
  return manifest;
}

function makeManifest(run: Run, files: ArchivedFile[]): ArchiveManifest {
  const withoutDigest = {
    archiveVersion: ARCHIVE_VERSION,
    runId: run.runId,
    createdAtUtcMs: run.endedAtUtcMs ?? run.submittedAtUtcMs,
    lockstepVersion: VERSION,
    nodeVersion: process.version,
    files,
  };
  return { ...withoutDigest, digest: digestOfManifest(withoutDigest) };
}

/** Writes what `fill` puts into a tar archive to a file, compressed, and syncs it. */
async function writeCompressed(path: string, fill: (tar: Pack) => Promise<void>): Promise<void> {
  const tar = pack();
  const file = await open(path, 'wx', MODE);
  // The stream of the file closes it, whatever happens.
  const written = pipeline(
    tar,
    createGzip({ level: COMPRESSION_LEVEL }),
    file.createWriteStream({ flush: true }),
  );
  const filled = fill(tar).then(
    () => {
      tar.finalize();
    },
    (error: unknown) => {
      tar.destroy(error instanceof Error ? error : new Error(String(error)));
      throw error;
    },
  );
  // Why filling failed tells more than that the stream then broke.
  const [filling, writing] = await Promise.allSettled([filled, written]);
  if (writing.status === 'rejected' && filling.status === 'fulfilled') throw writing.reason;
  if (filling.status === 'rejected') throw reasonOf(filling.reason, writing);
}

/** A full disk breaks both sides; the side of the disk knows why. */
function reasonOf(filling: unknown, writing: PromiseSettledResult<unknown>): unknown {
  if (writing.status === 'fulfilled') return filling;
  const isOfDisk = writing.reason instanceof Error && 'syscall' in writing.reason;
  return isOfDisk ? writing.reason : filling;
}

function addText(tar: Pack, name: string, content: Buffer, modified: Date): void {
  tar.entry({ name, size: content.length, mode: MODE, mtime: modified }, content);
}

async function addFile(
  tar: Pack,
  folder: string,
  file: ArchivedFile,
  modified: Date,
): Promise<void> {
  const entry = tar.entry({ name: file.path, size: file.bytes, mode: MODE, mtime: modified });
  await pipeline(unchangedBytes(folder, file), entry);
}

/** The bytes of a file, as long as they are those that were described before. */
async function* unchangedBytes(folder: string, file: ArchivedFile): AsyncGenerator<Buffer> {
  const hash = createHash('sha256');
  let bytes = 0;
  const changed = damagedRun(join(folder, file.path), 'changed while it was archived', {
    hint: 'A late result or a report was written meanwhile; archive the run again.',
  });
  for await (const chunk of bytesOfFile(folder, file.path)) {
    bytes += chunk.length;
    if (bytes > file.bytes) throw changed;
    hash.update(chunk);
    yield chunk;
  }
  if (`sha256:${hash.digest('hex')}` !== file.digest) throw changed;
}

function digestOf(content: Buffer): string {
  return `sha256:${createHash('sha256').update(content).digest('hex')}`;
}
