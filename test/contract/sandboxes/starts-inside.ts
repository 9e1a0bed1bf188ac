import assert from 'node:assert/strict';
import { setTimeout as delay } from 'node:timers/promises';
import { toFailure } from '../../../schemas/failure.ts';
import { assertNothingLeft, noteDaemonFolders } from '../../../agent/selftest/nothing-left.ts';
import { Stage, awaitReady, call } from '../../../agent/selftest/stage.ts';
import type { StageSetUp } from '../../../agent/selftest/stage.ts';

// Starts and removes sandboxes of one kind, one after the other, and reports what it cost as a JSON
// line. The set-up is the first argument, the number of starts the second.

const setUp = JSON.parse(process.argv[2] ?? '{}') as StageSetUp;
const starts = Number(process.argv[3]);

/** Starts before the memory is read for the first time: code is compiled, pools are filled. */
const WARM_UP_STARTS = 20;

/** Memory is read after each of so many starts. Garbage that is let lie keeps pages of the heap. */
const STARTS_BETWEEN_READINGS = 50;

/** Memory of this process after its garbage was collected, bytes. */
interface Memory {
  readonly heapBytes: number;
  readonly rssBytes: number;
}

async function readMemory(): Promise<Memory> {
  const collect = (globalThis as { gc?: () => void }).gc;
  assert.ok(collect, 'start with --expose-gc');
  // What a finaliser or a closing handle holds goes with the next collection.
  for (let round = 0; round < 3; round += 1) {
    collect();
    await delay(50);
  }
  const { external, heapUsed, rss } = process.memoryUsage();
  return { heapBytes: heapUsed + external, rssBytes: rss };
}

/** One life of a sandbox. Returns its ways to the ready call and to its end, ms. */
async function startOnce(stage: Stage): Promise<{ readyMs: number; removalMs: number }> {
  const times = { readyMs: 0, endedAtMs: 0 };
  await stage.withActors(1, setUp.hello, async ([actor]) => {
    const spawn = actor!.sandbox.start();
    times.readyMs = Number((await awaitReady(actor!)) - spawn) / 1e6;
    assert.equal((await call(actor!)).status, 200);
    times.endedAtMs = performance.now();
  });
  return { readyMs: times.readyMs, removalMs: performance.now() - times.endedAtMs };
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}

async function main(): Promise<void> {
  const stage = await Stage.open(setUp);
  try {
    await stage.driver.detect(stage.context);
  } catch (error) {
    process.stdout.write(`${JSON.stringify({ failure: toFailure(error) })}\n`);
    await stage.close();
    return;
  }
  noteDaemonFolders(stage);
  // The slot's interface is no leftover of a sandbox.
  stage.slots.release(await stage.slots.acquire(stage.driver.slotKind, 1));
  const before = stage.look();
  for (let done = 0; done < WARM_UP_STARTS; done += 1) await startOnce(stage);
  const first = await readMemory();
  let last = first;
  const readyMs: number[] = [];
  const removalMs: number[] = [];
  for (let done = 0; done < starts; done += 1) {
    const times = await startOnce(stage);
    readyMs.push(times.readyMs);
    removalMs.push(times.removalMs);
    const isLast = done === starts - 1;
    if (isLast || done % STARTS_BETWEEN_READINGS === 0) last = await readMemory();
  }
  await assertNothingLeft(stage, before);
  const report = {
    starts,
    heapGrowthBytes: last.heapBytes - first.heapBytes,
    rssGrowthBytes: last.rssBytes - first.rssBytes,
    readyMsMedian: median(readyMs),
    removalMsMedian: median(removalMs),
  };
  process.stdout.write(`${JSON.stringify(report)}\n`);
  await stage.close();
}

await main();
