import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import type { Stage, Surroundings } from './stage.ts';

const IMAGE = /[0-9a-f]{16}|\.(?:cpio|ext4|img)$/;

const daemonFolders = new Set<string>();

/** Notes the folders that are there with a daemon; to be called when it was just started. */
export function noteDaemonFolders({ setUp, traits }: Stage): void {
  if (traits.hasDaemon !== true) return;
  for (const name of readdirSync(setUp.scratchFolder)) daemonFolders.add(name);
}

/** An ended orphan is listed until the namespace's first process has reaped it, ms. */
const REAP_MS = 3000;

/** Looks until nothing is left, or an ended process has had time to be reaped. */
export async function assertNothingLeft(stage: Stage, before: Surroundings): Promise<void> {
  const giveUpAtMs = performance.now() + REAP_MS;
  for (;;) {
    try {
      assertUnchanged(stage, before, stage.look());
      return;
    } catch (error) {
      if (performance.now() > giveUpAtMs || livingSince(before, stage.look()).length > 0)
        throw error;
    }
    await delay(20);
  }
}

/** Processes that have come and are not only waiting to be reaped. */
function livingSince(before: Surroundings, after: Surroundings): string[] {
  return after.processes.filter((id) => {
    if (before.processes.includes(id)) return false;
    try {
      const stat = readFileSync(`/proc/${id}/stat`, 'latin1');
      return !/^[ZX]/.test(stat.slice(stat.lastIndexOf(')') + 2));
    } catch {
      return false;
    }
  });
}

/** Compares what is left. */
export function assertUnchanged(stage: Stage, before: Surroundings, after: Surroundings): void {
  for (const kind of Object.keys(before) as (keyof Surroundings)[]) {
    const more = after[kind].filter((one) => !before[kind].includes(one) && !isKept(stage, one));
    assert.deepEqual(more, [], `${kind} left`);
  }
}

// What a driver keeps on purpose until the runner ends: folders for what comes and goes in them,
// images in `guests`, and all that a daemon has in a folder of its own.
function isKept({ setUp }: Stage, path: string): boolean {
  if (!path.startsWith(`${setUp.scratchFolder}/`)) return false;
  const [first = '', second] = path.slice(setUp.scratchFolder.length + 1).split('/');
  if (second === undefined || first === 'bad' || daemonFolders.has(first)) return true;
  return first === 'guests' && IMAGE.test(second);
}
