import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { LockstepError } from '../../schemas/errors.ts';
import { digestFile } from '../recording/file-digest.ts';
import { readChunks } from '../recording/line-reader.ts';
import { openRegular, readingError } from '../recording/regular-file.ts';
import { damagedRun } from '../recording/run-damaged.ts';
import { FILES_MAX, isSafePath, OWN_NAMES } from './archive-manifest.ts';
import type { ArchivedFile } from './archive-manifest.ts';

const DEPTH_MAX = 8;

/** What must be known before the rest can be judged while it streams past. */
const FIRST: readonly string[] = ['run.json', 'plan.json'];

/**
 * All files of a run's folder with length and digest: record and plan, then all others by path.
 * Hidden files are left out: they are what a crash left of a file that was being replaced.
 *
 * @throws LockstepError RUN_DAMAGED for what is neither file nor folder, and for names that no
 * archive can hold; STORAGE_FAILED, PERMISSION_MISSING.
 */
export async function filesOfFolder(folder: string): Promise<ArchivedFile[]> {
  const files: ArchivedFile[] = [];
  const paths = (await pathsBelow(folder, '', DEPTH_MAX)).toSorted();
  const first = FIRST.filter((path) => paths.includes(path));
  for (const path of [...first, ...paths.filter((other) => !FIRST.includes(other))]) {
    files.push(await describeFile(folder, path));
  }
  return files;
}

/** The bytes of a file of the folder, in order. @throws as {@link filesOfFolder}. */
export async function* bytesOfFile(folder: string, path: string): AsyncGenerator<Buffer> {
  const full = join(folder, path);
  const file = await openRegular(full);
  if (file === undefined) throw damagedRun(full, 'is missing');
  try {
    yield* readChunks(file);
  } catch (error) {
    throw readingError(error, full);
  } finally {
    await file.close();
  }
}

async function describeFile(folder: string, path: string): Promise<ArchivedFile> {
  const full = join(folder, path);
  const found = await digestFile(full);
  if (found === undefined) throw damagedRun(full, 'is missing');
  return { path, bytes: found.bytes, digest: `sha256:${found.sha256}` };
}

async function pathsBelow(folder: string, below: string, depth: number): Promise<string[]> {
  const here = join(folder, below);
  if (depth === 0) throw damagedRun(here, `has more than ${DEPTH_MAX} levels of folders`);
  const paths: string[] = [];
  for (const entry of await entriesOf(here)) {
    const path = below === '' ? entry.name : `${below}/${entry.name}`;
    if (entry.name.startsWith('.')) continue;
    if (entry.isDirectory()) paths.push(...(await pathsBelow(folder, path, depth - 1)));
    else if (!isSafePath(path) || OWN_NAMES.includes(path)) throw badName(folder, path);
    else if (entry.isFile()) paths.push(path);
    else throw damagedRun(join(folder, path), 'is neither a file nor a folder');
    if (paths.length > FILES_MAX) throw damagedRun(folder, `has more than ${FILES_MAX} files`);
  }
  return paths;
}

async function entriesOf(folder: string) {
  try {
    return await readdir(folder, { withFileTypes: true });
  } catch (error) {
    throw readingError(error, folder);
  }
}

function badName(folder: string, path: string): LockstepError {
  return new LockstepError('RUN_DAMAGED', `${folder} has a file that can't be archived: ${path}`, {
    hint: 'It is none of the run; rename it or move it away.',
  });
}
