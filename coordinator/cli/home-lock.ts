import { createHash, randomUUID } from 'node:crypto';
import { link, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { LockstepError } from '../../schemas/errors.ts';
import {
  ProcessIdentity,
  identityOf,
  isRunning,
} from '../../provisioning/nats/process-identity.ts';

const ATTEMPTS_MAX = 10;

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
  const draft = `${path}.${randomUUID()}`;
  try {
    await writeFile(draft, JSON.stringify(await identityOf(process.pid)));
    await acquire(path, draft, folder);
  } finally {
    await rm(draft, { force: true });
  }
  return async () => {
    await rm(path, { force: true });
  };
}

/**
 * A lock is a link to a written file, so that it appears at once and whole. A dead one is replaced
 * by whoever holds the lock on replacing exactly it, which is named by its content; nobody else
 * changes it, so what that one reads again is still true when it renames.
 */
async function acquire(path: string, draft: string, folder: string): Promise<void> {
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt += 1) {
    if (await tryLink(draft, path)) return;
    const text = await readIfThere(path);
    if (text === undefined) continue;
    const holder = parseHolder(text);
    if (holder !== undefined && (await isRunning(holder))) throw heldBy(holder, folder);
    const replacing = `${path}.${createHash('sha256').update(text).digest('hex').slice(0, 16)}`;
    await acquire(replacing, draft, folder);
    try {
      if ((await readIfThere(path)) !== text) continue;
      const replacement = `${draft}.replacement`;
      await link(draft, replacement);
      await rename(replacement, path);
      return;
    } finally {
      await rm(replacing, { force: true });
    }
  }
  throw new LockstepError('AGENT_BUSY', `${path} is being taken by several processes at once`, {
    hint: 'Try again.',
  });
}

function heldBy({ pid }: ProcessIdentity, folder: string): LockstepError {
  return new LockstepError('AGENT_BUSY', `process ${pid} already works on ${folder}`, {
    hint: 'Stop it first, or choose another folder with --data.',
  });
}

async function tryLink(from: string, to: string): Promise<boolean> {
  try {
    await link(from, to);
    return true;
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false;
    throw error;
  }
}

async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}

/** Absent (undefined) if it is no lock of ours, e.g. empty after a power cut. */
function parseHolder(text: string): ProcessIdentity | undefined {
  try {
    return ProcessIdentity.parse(JSON.parse(text));
  } catch {
    return undefined;
  }
}

function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error ? String(error.code) : undefined;
}
