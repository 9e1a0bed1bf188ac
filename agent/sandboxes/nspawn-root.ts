import { cp, mkdir, readdir, writeFile } from 'node:fs/promises';
import type { Dirent } from 'node:fs';
import { join } from 'node:path';

/** What every container has of its own, whatever the function's files are. */
const OWN_FOLDERS = ['proc', 'sys', 'dev', 'tmp', 'run'] as const;

/** What systemd-nspawn wants to see before it takes a folder for an operating system. */
const SYSTEM_FOLDERS = ['etc', 'usr'] as const;

/**
 * Prepares a folder that systemd-nspawn takes as a root: the places that it wants, and an empty
 * place for each of the function's files or folders. Returns the options that bind those.
 *
 * @param root a new folder, on the runner's private tmpfs.
 * @param functionFolder the function's files, which stay where they are.
 */
export async function prepareNspawnRoot(root: string, functionFolder: string): Promise<string[]> {
  const own: readonly string[] = OWN_FOLDERS;
  for (const name of [...OWN_FOLDERS, ...SYSTEM_FOLDERS]) {
    await mkdir(join(root, name), { recursive: true });
  }
  const options: string[] = [];
  for (const entry of await readdir(functionFolder, { withFileTypes: true })) {
    if (own.includes(entry.name)) continue;
    // A file of this project's goes beside those of the function.
    const isShared = entry.name === 'etc' && entry.isDirectory();
    const entries = isShared
      ? await readdir(join(functionFolder, 'etc'), { withFileTypes: true })
      : [entry];
    for (const one of entries) {
      options.push(...(await makePlace(root, functionFolder, isShared ? 'etc' : '', one)));
    }
  }
  await writeFile(join(root, 'etc', 'os-release'), 'ID=lockstep\n', { flag: 'a' });
  return options;
}

async function makePlace(
  root: string,
  functionFolder: string,
  below: string,
  entry: Dirent,
): Promise<string[]> {
  const path = join('/', below, entry.name);
  const place = join(root, path);
  const source = join(functionFolder, path);
  if (entry.isSymbolicLink()) {
    await cp(source, place, { verbatimSymlinks: true });
    return [];
  }
  if (entry.isDirectory()) await mkdir(place, { recursive: true });
  else await writeFile(place, '');
  return [`--bind-ro=${escapeColons(source)}:${escapeColons(path)}`];
}

function escapeColons(path: string): string {
  return path.replaceAll('\\', '\\\\').replaceAll(':', '\\:');
}
