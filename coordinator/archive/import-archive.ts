import { randomUUID } from 'node:crypto';
import { mkdir, open, rename, rm, statfs } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { LockstepError } from '../../schemas/errors.ts';
import { storageError } from '../recording/run-folder.ts';
import { OWN_NAMES } from './archive-manifest.ts';
import type { ArchivedFile, ArchiveManifest } from './archive-manifest.ts';
import { filesOfFolder } from './folder-files.ts';
import { readToEnd } from './read-to-end.ts';
import { syncFolder } from '../../bus/sync-folder.ts';
import { verifyArchive } from './verify-archive.ts';
import type { ArchiveContents, ArchiveSink } from './verify-archive.ts';

/** What became of an archive. */
export interface ImportedArchive {
  readonly runId: string;
  /** False if the same run was there already. */
  readonly isNew: boolean;
  readonly contents: ArchiveContents;
}

/** Space that must be left on the disk, bytes. */
const FREE_BYTES_MIN = 4 * 1024 * 1024;

/** Files that follow from others and may be written anew at any time. */
const DERIVED = /^report|^parquet\.json$|\.(html|parquet|svg|md)$/;

/**
 * Takes the run of an archive into a data folder. It is verified as a whole before anything shows:
 * it is unpacked beside `runs/`, synced and renamed. A run that is there already with the same
 * content stays as it is.
 *
 * @throws LockstepError RUN_EXISTS if another run of this id is there, STORAGE_FULL,
 * STORAGE_FAILED, and what {@link verifyArchive} throws.
 */
export async function importArchive(
  path: string,
  home: { readonly folder: string },
): Promise<ImportedArchive> {
  const temporary = join(home.folder, `.import-${randomUUID()}`);
  try {
    await mkdir(temporary, { recursive: true });
    const contents = await verifyArchive(path, new FolderSink(temporary));
    const { runId } = contents.manifest;
    const target = join(home.folder, 'runs', runId);
    await mkdir(dirname(target), { recursive: true });
    const isNew = await moveTo(temporary, target);
    if (!isNew) await assertSame(contents.manifest, target);
    return { runId, isNew, contents };
  } catch (error) {
    throw error instanceof Error && 'syscall' in error
      ? storageError(error, `cannot take ${path} into ${home.folder}`)
      : error;
  } finally {
    await rm(temporary, { recursive: true, force: true });
  }
}

/** Writes files into a folder, each synced. */
class FolderSink implements ArchiveSink {
  readonly #folder: string;
  #modified = new Date(0);

  constructor(folder: string) {
    this.#folder = folder;
  }

  async begin({ files, createdAtUtcMs }: ArchiveManifest): Promise<void> {
    this.#modified = new Date(createdAtUtcMs);
    const neededBytes = files.reduce((sum, { bytes }) => sum + bytes, FREE_BYTES_MIN);
    const { bavail, bsize } = await statfs(this.#folder);
    if (bavail * bsize >= neededBytes) return;
    throw new LockstepError(
      'STORAGE_FULL',
      `the archive needs ${neededBytes} bytes on the disk of ${this.#folder}; ` +
        `${bavail * bsize} are left`,
      { hint: 'Free some space; nothing of the archive was taken in.' },
    );
  }

  async file({ path }: ArchivedFile, bytes: AsyncIterable<Buffer>): Promise<void> {
    if (OWN_NAMES.includes(path)) {
      await readToEnd(bytes);
      return;
    }
    const full = join(this.#folder, path);
    await mkdir(dirname(full), { recursive: true });
    const file = await open(full, 'wx', 0o644);
    try {
      for await (const chunk of bytes) await file.writeFile(chunk);
      // One time for all, so that no report looks older than the data that it shows.
      await file.utimes(this.#modified, this.#modified);
      await file.sync();
    } finally {
      await file.close();
    }
  }
}

/** False if there is something already: the system never replaces a folder that is not empty. */
async function moveTo(temporary: string, target: string): Promise<boolean> {
  await syncFolder(temporary);
  try {
    await rename(temporary, target);
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : '';
    if (['ENOTEMPTY', 'EEXIST', 'ENOTDIR'].includes(code)) return false;
    throw error;
  }
  await syncFolder(dirname(target));
  return true;
}

/** @throws LockstepError RUN_EXISTS unless the folder has the same records. */
async function assertSame(manifest: ArchiveManifest, folder: string): Promise<void> {
  const isRecord = ({ path }: ArchivedFile): boolean =>
    !DERIVED.test(path) && !OWN_NAMES.includes(path);
  const there = new Map(
    (await filesOfFolder(folder)).filter(isRecord).map(({ path, digest }) => [path, digest]),
  );
  const records = manifest.files.filter(isRecord);
  const different = records.find(({ path, digest }) => there.get(path) !== digest);
  if (different === undefined && there.size === records.length) return;
  const what = different === undefined ? 'it has more files' : `${different.path} differs`;
  throw new LockstepError('RUN_EXISTS', `${folder} is there already, and not the same: ${what}`, {
    hint: 'Keep one of the two, or take the archive into another folder with --data.',
  });
}
