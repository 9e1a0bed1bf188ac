import { readFile } from 'node:fs/promises';
import type { ArtefactCache } from '../../bus/artefact-cache.ts';
import type { ArtefactFile, ArtefactManifest } from '../../schemas/artefact.ts';

/** A function with its files, as images are made of it. */
export interface FunctionTree {
  readonly manifest: ArtefactManifest;
  /** All folders, parents first: those of the files, and those that every sandbox mounts into. */
  readonly folders: readonly string[];
  /** The files, by path. */
  readonly files: readonly ArtefactFile[];
  read(file: ArtefactFile): Promise<Buffer>;
}

/** Folders that sandboxes mount into, or that programs take for granted. */
const MOUNT_POINTS = ['/dev', '/etc', '/proc', '/sys', '/tmp'];

/**
 * Reads a function of a cache.
 *
 * @throws LockstepError ARTEFACT_MISSING or ARTEFACT_CORRUPT.
 */
export async function readFunctionTree(
  cache: ArtefactCache,
  digest: string,
): Promise<FunctionTree> {
  const manifest = await cache.readManifest(digest);
  const files = manifest.files.toSorted((left, right) => (left.path < right.path ? -1 : 1));
  const folders = new Set(MOUNT_POINTS);
  for (const { path } of files) {
    const parts = path.split('/').slice(1, -1);
    parts.forEach((_, index) => folders.add(`/${parts.slice(0, index + 1).join('/')}`));
  }
  return {
    manifest,
    folders: [...folders].toSorted(),
    files,
    read: (file) => readFile(cache.blobPath(file.digest)),
  };
}

/** The permission bits of a folder: anybody may write to /tmp. */
export function folderMode(path: string): number {
  return path === '/tmp' ? 0o1777 : 0o755;
}
