import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { DriverContext, SandboxDriver } from '../sandboxes/driver.ts';
import type { FunctionRoot } from '../sandboxes/function-root.ts';
import { LockstepError } from '../../schemas/errors.ts';

const FILES_MAX = 4096;

/** What the files of a sandbox are found by. */
export interface ColdFilesContext {
  readonly driver: SandboxDriver;
  readonly driverContext: DriverContext;
  readonly functionRoot: FunctionRoot;
}

/**
 * The files that a start of a sandbox may read: what its driver names, else those of the function.
 * Only regular files with content; sorted.
 *
 * @throws LockstepError IMAGE_INVALID if there are more than 4096.
 */
export async function findColdFiles(context: ColdFilesContext): Promise<string[]> {
  const { driver, driverContext, functionRoot } = context;
  const named = await driver.coldFiles?.(driverContext, functionRoot);
  const files = named ?? (await filesBelow(functionRoot.folder));
  if (files.length > FILES_MAX) {
    throw new LockstepError(
      'IMAGE_INVALID',
      `the sandbox has ${files.length} files; the page cache is set for ${FILES_MAX} at most`,
    );
  }
  const kept: string[] = [];
  for (const file of new Set(files)) {
    const found = await stat(file);
    if (found.isFile() && found.size > 0) kept.push(file);
  }
  return kept.sort();
}

async function filesBelow(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
}
