import assert from 'node:assert/strict';
import { toFailure } from '../../schemas/failure.ts';
import { checksFor } from './checks.ts';
import { DETECT, NOTHING_LEFT } from './contract.ts';
import type { CheckReport } from './contract.ts';
import { assertNothingLeft, assertUnchanged, noteDaemonFolders } from './nothing-left.ts';
import { Stage } from './stage.ts';
import type { StageSetUp } from './stage.ts';

// Runs the contract of one driver in the runner's namespaces and reports each check as a JSON line,
// when it begins and when it ends. The set-up is the first argument, a part of a check's title to
// run only those the second.

const setUp = JSON.parse(process.argv[2] ?? '{}') as StageSetUp;
const only = process.argv[3] ?? '';

function report(line: CheckReport): void {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}

async function check(title: string, run: () => Promise<void> | void): Promise<void> {
  const before = performance.now();
  const ms = (): number => Math.round(performance.now() - before);
  report({ title });
  try {
    await run();
    report({ title, ok: true, ms: ms() });
  } catch (error) {
    const message = error instanceof Error ? (error.stack ?? error.message) : String(error);
    report({ title, ok: false, message, ms: ms() });
  }
}

/** Returns false if the driver can't work here. */
async function detect(stage: Stage): Promise<boolean> {
  const before = performance.now();
  const ms = (): number => Math.round(performance.now() - before);
  report({ title: DETECT });
  try {
    const details = await stage.driver.detect(stage.context);
    report({ title: DETECT, ok: true, ms: ms(), details });
    return true;
  } catch (error) {
    report({ title: DETECT, ok: false, ms: ms(), failure: toFailure(error) });
    return false;
  }
}

async function main(): Promise<void> {
  const stage = await Stage.open(setUp);
  const untouched = stage.look();
  if (await detect(stage)) {
    noteDaemonFolders(stage);
    stage.slots.release(await stage.slots.acquire(stage.driver.slotKind, 3));
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
    await check(NOTHING_LEFT, async () => {
      assert.deepEqual(await stage.slots.destroy(), []);
      assert.deepEqual(await stage.context.cgroups.removeAll(), []);
      const after = stage.look();
      assert.deepEqual(after.cgroups, []);
      assertUnchanged(stage, { ...kept, files: [`${setUp.scratchFolder}/netns`] }, after);
    });
  }
  await stage.close();
}

await main();
