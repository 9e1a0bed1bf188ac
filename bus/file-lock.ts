import { randomUUID } from 'node:crypto';
import { mkdir, open, rename, rm, stat, utimes } from 'node:fs/promises';
import { dirname } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { LockstepError } from '../schemas/errors.ts';

const POLL_MS = 50;
const HEARTBEAT_MS = 1500;
const STALE_MS = 8000;
const WAIT_MS = 600_000;

/**
 * Runs the work while no other process that uses the same lock file does. The holder keeps the
 * file's time fresh; a file that was left by a killed process is taken over after 8 s. It saves
 * work that is done twice, and is no guard where doing it twice does harm.
 *
 * @throws LockstepError DEADLINE_EXCEEDED after 10 minutes of waiting, CANCELLED
 */
export async function withFileLock<T>(
  path: string,
  work: () => Promise<T>,
  signal?: AbortSignal,
): Promise<T> {
  await acquire(path, signal);
  const heartbeat = setInterval(() => {
    const now = new Date();
    // Removed under our feet it no longer protects, which the contract allows.
    utimes(path, now, now).catch(() => undefined);
  }, HEARTBEAT_MS);
  try {
    return await work();
  } finally {
    clearInterval(heartbeat);
    await rm(path, { force: true });
  }
}

async function acquire(path: string, signal: AbortSignal | undefined): Promise<void> {
  const deadlineMs = performance.now() + WAIT_MS;
  await mkdir(dirname(path), { recursive: true });
  while (!(await tryCreate(path))) {
    if (signal?.aborted === true) throw new LockstepError('CANCELLED', `gave up lock ${path}`);
    if (performance.now() > deadlineMs) {
      throw new LockstepError('DEADLINE_EXCEEDED', `lock ${path} was not free for ${WAIT_MS} ms`, {
        hint: 'Another process holds it; if none does, remove the file.',
      });
    }
    if (await isStale(path)) await takeAway(path);
    else await delay(POLL_MS);
  }
}

async function tryCreate(path: string): Promise<boolean> {
  try {
    const file = await open(path, 'wx', 0o600);
    await file.close();
    return true;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return false;
    throw error;
  }
}

async function isStale(path: string): Promise<boolean> {
  const found = await stat(path).catch(() => undefined);
  return found !== undefined && Date.now() - found.mtimeMs > STALE_MS;
}

async function takeAway(path: string): Promise<void> {
  const aside = `${path}.${randomUUID()}`;
  await rename(path, aside).catch(() => undefined);
  await rm(aside, { force: true });
}
