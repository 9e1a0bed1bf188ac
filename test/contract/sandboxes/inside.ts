import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { toFailure } from '../../../schemas/failure.ts';
import { CHECKS } from './checks.ts';
import { Stage } from './stage.ts';
import type { StageSetUp, Surroundings } from './stage.ts';

// Runs the contract of one driver in the runner's namespaces and reports each check as a JSON line.
// The set-up is the first argument, a part of a check's title to run only those the second.

const setUp = JSON.parse(process.argv[2] ?? '{}') as StageSetUp;
const only = process.argv[3] ?? '';

function report(title: string, details: Record<string, unknown>): void {
  process.stdout.write(`${JSON.stringify({ title, ...details })}\n`);
}

async function check(title: string, run: () => Promise<void> | void): Promise<void> {
  const before = performance.now();
  try {
    await run();
    report(title, { ok: true, ms: Math.round(performance.now() - before) });
  } catch (error) {
    const message = error instanceof Error ? (error.stack ?? error.message) : String(error);
    report(title, { ok: false, message, ms: Math.round(performance.now() - before) });
  }
}

/** An ended orphan is listed until the namespace's first process has reaped it, ms. */
const REAP_MS = 3000;

/** Looks until nothing is left, or an ended process has had time to be reaped. */
async function assertNothingLeft(stage: Stage, before: Surroundings): Promise<void> {
  const giveUpAtMs = performance.now() + REAP_MS;
  for (;;) {
    try {
      assertUnchanged(before, stage.look());
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
function assertUnchanged(before: Surroundings, after: Surroundings): void {
  for (const kind of Object.keys(before) as (keyof Surroundings)[]) {
    const more = after[kind].filter((one) => !before[kind].includes(one) && !isKept(one));
    assert.deepEqual(more, [], `${kind} left`);
  }
}

// What a driver keeps on purpose until the runner ends: its guests' images and a runtime's folder.
function isKept(path: string): boolean {
  const { scratchFolder } = setUp;
  return (
    path.startsWith(`${scratchFolder}/bad`) ||
    ['guests', 'bundles', 'runc', 'runsc'].some((name) => path === `${scratchFolder}/${name}`) ||
    /\/guests\/[^/]+\.cpio$/.test(path)
  );
}

async function main(): Promise<void> {
  const stage = await Stage.open(setUp);
  const untouched = stage.look();
  try {
    const details = await stage.driver.detect(stage.context);
    report('detect', { ok: true, details });
  } catch (error) {
    report('detect', { ok: false, failure: toFailure(error) });
    await stage.close();
    return;
  }
  const slots = await stage.slots.acquire(stage.driver.slotKind, 3);
  stage.slots.release(slots);
  for (const [title, run] of Object.entries(CHECKS)) {
    if (!title.includes(only)) continue;
    await check(title, async () => {
      const before = stage.look();
      await run(stage);
      await assertNothingLeft(stage, before);
    });
  }
  await check('leaves nothing behind', async () => {
    assert.deepEqual(await stage.slots.destroy(), []);
    assert.deepEqual(await stage.context.cgroups.removeAll(), []);
    const after = stage.look();
    assert.deepEqual(after.cgroups, []);
    assertUnchanged({ ...untouched, files: [`${setUp.scratchFolder}/netns`] }, after);
  });
  await stage.close();
}

await main();
