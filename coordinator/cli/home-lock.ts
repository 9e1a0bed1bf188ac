import { mkdir, open, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { LockstepError } from '../../schemas/errors.ts';
import {
  ProcessIdentity,
  identityOf,
  isRunning,
} from '../../provisioning/nats/process-identity.ts';

/**
 * Makes sure that one coordinator at a time works on a data folder. The lock names its process; a
 * lock whose process is gone, by a crash or a reboot, is taken over.
 *
 * @returns how to give it back.
 * @throws LockstepError AGENT_BUSY if another process holds it.
 */
export async function lockHome(folder: string): Promise<() => Promise<void>> {
  await mkdir(folder, { recursive: true });
  const path = join(folder, 'up.lock');
  for (let attempt = 0; attempt < 3; attempt += 1) {
    if (await take(path)) {
      return async () => {
        await rm(path, { force: true });
      };
    }
    const holder = await readHolder(path);
    if (holder !== undefined && (await isRunning(holder))) {
      throw new LockstepError('AGENT_BUSY', `process ${holder.pid} already works on ${folder}`, {
        hint: 'Stop it first, or choose another folder with --data.',
      });
    }
    await rm(path, { force: true });
  }
  throw new LockstepError('AGENT_BUSY', `${path} is being taken by several processes at once`, {
    hint: 'Try again.',
  });
}

async function take(path: string): Promise<boolean> {
  try {
    const file = await open(path, 'wx');
    try {
      await file.writeFile(JSON.stringify(await identityOf(process.pid)));
    } finally {
      await file.close();
    }
    return true;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return false;
    throw error;
  }
}

async function readHolder(path: string): Promise<ProcessIdentity | undefined> {
  try {
    return ProcessIdentity.parse(JSON.parse(await readFile(path, 'utf8')));
  } catch {
    return undefined;
  }
}
