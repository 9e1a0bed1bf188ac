import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { systemClock } from '../../../agent/clock/clock.ts';
import { PauseWatch } from '../../../agent/runner/pause-watch.ts';
import { SimulatedClock } from '../../support/simulated-clock.ts';

const MS = 1_000_000n;

/** Keeps this thread from doing anything. */
function block(durationMs: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, durationMs);
}

test.serial('a pause is as long as what kept the process, and quiet times are none', async (t) => {
  const watch = new PauseWatch(systemClock);
  watch.begin();
  await delay(300);
  const quietNs = watch.end();
  watch.begin();
  await delay(100);
  block(800);
  await delay(100);
  const blockedNs = watch.end();
  t.true(blockedNs >= 700n * MS, String(blockedNs));
  t.true(quietNs < blockedNs - 300n * MS, `${quietNs} ns quiet, ${blockedNs} ns blocked`);
});

test.serial('a pause at the very end is seen, before any timer could fire', (t) => {
  const watch = new PauseWatch(systemClock);
  watch.begin();
  block(500);
  t.true(watch.end() >= 400n * MS);
});

/** Lets the watch's timer fire on a clock that stood this much ahead. */
async function jump(clock: SimulatedClock, durationNs: bigint): Promise<void> {
  clock.nowMonoNs += durationNs;
  await delay(120);
}

test.serial('the longest of several pauses counts', async (t) => {
  const clock = new SimulatedClock();
  const watch = new PauseWatch(clock);
  watch.begin();
  for (const durationNs of [200n * MS, 700n * MS, 300n * MS]) await jump(clock, durationNs);
  const longestNs = watch.end();
  t.true(longestNs > 600n * MS && longestNs <= 700n * MS, String(longestNs));
});

test.serial('a watch that begins anew forgets, and one that ended says nothing', async (t) => {
  const clock = new SimulatedClock();
  const watch = new PauseWatch(clock);
  t.is(watch.end(), 0n);
  watch.begin();
  await jump(clock, 500n * MS);
  watch.begin();
  t.is(watch.end(), 0n);
  clock.nowMonoNs += 500n * MS;
  t.is(watch.end(), 0n);
});

// A process of its own that watches until its standard input ends, then prints what it saw.
const WATCHER = `
import { systemClock } from '${import.meta.resolve('../../../agent/clock/clock.ts')}';
import { PauseWatch } from '${import.meta.resolve('../../../agent/runner/pause-watch.ts')}';
const watch = new PauseWatch(systemClock);
watch.begin();
console.log('begun');
process.stdin.resume().on('end', () => console.log(String(watch.end())));
`;

/** The longest pause that the watcher saw, ns, while something was done to it. */
async function watched(t: ExecutionContext, disturb: (pid: number) => Promise<void>) {
  const child = spawn(process.execPath, ['--input-type=module', '--eval', WATCHER], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  t.teardown(() => child.kill('SIGKILL'));
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  t.is((await lines.next()).value, 'begun');
  await disturb(child.pid ?? 0);
  child.stdin.end();
  return BigInt((await lines.next()).value ?? '');
}

test.serial('a process that was stopped for a second knows it', async (t) => {
  const stoppedNs = await watched(t, async (pid) => {
    process.kill(pid, 'SIGSTOP');
    await delay(1000);
    process.kill(pid, 'SIGCONT');
  });
  const quietNs = await watched(t, () => delay(1000));
  t.true(stoppedNs >= 850n * MS, String(stoppedNs));
  t.true(quietNs < stoppedNs - 300n * MS, `${quietNs} ns quiet, ${stoppedNs} ns stopped`);
});
