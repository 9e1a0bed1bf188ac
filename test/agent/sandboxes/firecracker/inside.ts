import assert from 'node:assert/strict';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Stage } from '../../../../agent/selftest/stage.ts';
import type { StageSetUp, Surroundings } from '../../../../agent/selftest/stage.ts';
import { FakeHost } from './fake-host.ts';
import { SCENARIOS } from './scenarios.ts';

// Plays each scenario in the runner's namespaces and reports it as a JSON line. The set-up is the
// first argument, a part of a title to play only those the second.

const setUp = JSON.parse(process.argv[2] ?? '{}') as StageSetUp;
const only = process.argv[3] ?? '';

const SETTLE_MS = 3_000;

/** What may stay until the runner ends: images that more than one guest uses. */
function isKept(path: string): boolean {
  return (
    path.startsWith(`${setUp.scratchFolder}/guests`) || path === `${setUp.scratchFolder}/netns`
  );
}

async function assertNothingLeft(stage: Stage, before: Surroundings): Promise<void> {
  const deadline = performance.now() + SETTLE_MS;
  for (;;) {
    const after = stage.look();
    const left = (Object.keys(before) as (keyof Surroundings)[]).flatMap((kind) =>
      after[kind]
        .filter((one) => !before[kind].includes(one) && !isKept(one))
        .map((one) => `${kind}: ${one}`),
    );
    if (left.length === 0) return;
    if (performance.now() > deadline) assert.deepEqual(left, []);
    await delay(20);
  }
}

async function main(): Promise<void> {
  const stage = await Stage.open(setUp);
  const host = await FakeHost.create();
  stage.slots.release(await stage.slots.acquire('tap', 8));
  const before = stage.look();
  for (const [title, play] of Object.entries(SCENARIOS)) {
    if (!title.includes(only)) continue;
    try {
      process.env['LOCKSTEP_GUEST_VMLINUX'] = join(host.folder, 'vmlinux');
      await host.behave({});
      await play({ stage, host, context: { ...stage.context } });
      await assertNothingLeft(stage, before);
      process.stdout.write(`${JSON.stringify({ title, ok: true })}\n`);
    } catch (error) {
      const message = error instanceof Error ? (error.stack ?? error.message) : String(error);
      process.stdout.write(`${JSON.stringify({ title, ok: false, message })}\n`);
    }
  }
  await host.remove();
  await stage.slots.destroy();
  await stage.context.cgroups.removeAll();
  await stage.close();
}

await main();
