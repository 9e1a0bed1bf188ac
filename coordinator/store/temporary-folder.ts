import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';

const NAME = /^\.parquet-(\d+)-/;

/**
 * Makes a folder inside a run's folder for what is written on the way; its name says which process
 * it belongs to. What processes that are gone have left is removed first.
 */
export async function makeTemporaryFolder(folder: string): Promise<string> {
  await removeTemporaryFolders(folder, (processId) => !isAlive(processId));
  return mkdtemp(join(folder, `.parquet-${process.pid}-`));
}

/** Removes the temporary folders of the processes that are named. */
export async function removeTemporaryFolders(
  folder: string,
  isWanted: (processId: number) => boolean,
): Promise<void> {
  for (const name of await readdir(folder)) {
    const processId = NAME.exec(name)?.[1];
    if (processId === undefined || !isWanted(Number(processId))) continue;
    await rm(join(folder, name), { recursive: true, force: true });
  }
}

function isAlive(processId: number): boolean {
  try {
    process.kill(processId, 0);
    return true;
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}
