import { randomUUID } from 'node:crypto';
import { linkSync, readFileSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { readIfThere } from './machine.mjs';
import { describeProcess, isAlive } from './process-identity.mjs';
import { SetupError } from './report.mjs';

const POLL_MS = 100;
const WAIT_MS_MAX = 20 * 60_000;

/**
 * Takes the lock, waiting while another set-up that is alive holds it. What a dead one has left is
 * taken over.
 *
 * @param {string} path
 * @param {{onWait?: (pid: number) => void, waitMsMax?: number}} options
 * @returns {Promise<() => void>} releases the lock.
 */
export async function takeSetupLock(path, options = {}) {
  const mine = JSON.stringify(describeProcess(process.pid));
  const draft = `${path}.${randomUUID()}`;
  const deadlineMs = performance.now() + (options.waitMsMax ?? WAIT_MS_MAX);
  let hasSaid = false;
  writeFileSync(draft, mine);
  try {
    for (;;) {
      if (tryLink(draft, path)) {
        removeDeadDrafts(path);
        return () => release(path, mine);
      }
      const owner = readOwner(path);
      if (owner !== undefined && !isAlive(owner)) {
        takeAway(path, JSON.stringify(owner));
        continue;
      }
      if (owner !== undefined && !hasSaid) options.onWait?.(owner.pid);
      hasSaid ||= owner !== undefined;
      if (performance.now() > deadlineMs) {
        throw new SetupError(
          `another set-up (process ${owner?.pid ?? '?'}) holds ${path} for too long`,
          `end it: kill ${owner?.pid ?? 'PID'}`,
        );
      }
      await sleep(POLL_MS);
    }
  } finally {
    rmSync(draft, { force: true });
  }
}

function tryLink(draft, path) {
  try {
    linkSync(draft, path);
    return true;
  } catch (error) {
    if (error.code === 'EEXIST') return false;
    throw error;
  }
}

function readOwner(path) {
  const text = readIfThere(path);
  if (text === undefined) return undefined;
  try {
    const owner = JSON.parse(text);
    return typeof owner.pid === 'number' ? owner : { pid: 0 };
  } catch {
    return { pid: 0 };
  }
}

/**
 * Removes a dead owner's lock. Renaming lets only one of several waiters have it; one who got a
 * lock that was taken meanwhile puts it back.
 */
function takeAway(path, expected) {
  const aside = `${path}.${randomUUID()}`;
  try {
    renameSync(path, aside);
  } catch (error) {
    if (error.code === 'ENOENT') return;
    throw error;
  }
  try {
    const owner = readOwner(aside);
    if (JSON.stringify(owner) !== expected && isAlive(owner)) tryLink(aside, path);
  } finally {
    rmSync(aside, { force: true });
  }
}

/** Removes what waiters have left that were killed. */
function removeDeadDrafts(path) {
  for (const name of readdirSync(dirname(path))) {
    if (!name.startsWith(`${basename(path)}.`)) continue;
    const draft = join(dirname(path), name);
    const owner = readOwner(draft);
    if (owner !== undefined && !isAlive(owner)) rmSync(draft, { force: true });
  }
}

function release(path, mine) {
  try {
    if (readFileSync(path, 'utf8') === mine) rmSync(path, { force: true });
  } catch (error) {
    if (error.code !== 'ENOENT') throw error;
  }
}
