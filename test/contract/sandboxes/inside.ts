import assert from 'node:assert/strict';
import { toFailure } from '../../../schemas/failure.ts';
import { checksFor } from './checks.ts';
import { assertNothingLeft, assertUnchanged, noteDaemonFolders } from './nothing-left.ts';
import { Stage } from './stage.ts';
import type { StageSetUp } from './stage.ts';

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
  noteDaemonFolders(stage);
  const slots = await stage.slots.acquire(stage.driver.slotKind, 3);
  stage.slots.release(slots);
  // A daemon stays for the runner's life.
  const kept = stage.traits.hasDaemon === true ? stage.look() : untouched;
  for (const [title, run] of Object.entries(checksFor(setUp.sandbox))) {
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
    assertUnchanged(stage, { ...kept, files: [`${setUp.scratchFolder}/netns`] }, after);
  });
  await stage.close();
}

await main();
