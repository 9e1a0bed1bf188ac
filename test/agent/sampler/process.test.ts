import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import {
  parseSchedulingClass,
  readSchedulingClass,
} from '../../../agent/runner/scheduling-class.ts';

const PARENT = join(import.meta.dirname, 'parent/main.ts');
const END_TIMEOUT_MS = 5_000;

/** Starts an agent that samples; resolves to the id of its sampler. */
async function startParent(
  t: ExecutionContext,
  words: readonly string[] = [],
): Promise<{ parent: ChildProcess; samplerId: number }> {
  const [program = '', ...rest]: string[] = [
    ...words,
    ...[process.execPath, '--single-threaded-gc', PARENT],
  ];
  const parent = spawn(program, rest, { stdio: ['pipe', 'pipe', 'inherit'] });
  parent.stdin.on('error', () => undefined);
  const ended = once(parent, 'exit');
  t.teardown(async () => {
    parent.kill('SIGKILL');
    await ended;
  });
  const [text] = (await Promise.race([once(parent.stdout, 'data'), ended])) as [unknown];
  const samplerId = Number(String(text));
  t.true(Number.isInteger(samplerId) && samplerId > 1, String(text));
  return { parent, samplerId };
}

/** True if there is such a process; one that nobody has waited for yet is none. */
function isRunning(processId: number): boolean {
  try {
    const stat = readFileSync(`/proc/${processId}/stat`, 'latin1');
    return !/^[ZX]/.test(stat.slice(stat.lastIndexOf(')') + 2));
  } catch {
    return false;
  }
}

test('a sampler ends when its agent was killed', async (t) => {
  const { parent, samplerId } = await startParent(t);
  t.true(isRunning(samplerId));
  parent.kill('SIGKILL');
  const giveUpAtMs = performance.now() + END_TIMEOUT_MS;
  while (isRunning(samplerId) && performance.now() < giveUpAtMs) await delay(10);
  t.false(isRunning(samplerId));
});

test('every thread of the sampler of a real-time agent is of the ordinary class', async (t) => {
  if (process.getuid?.() !== 0) {
    t.log('skipped: a real-time class needs root');
    t.pass();
    return;
  }
  const { parent, samplerId } = await startParent(t, ['chrt', '--fifo', '10']);
  t.is(readSchedulingClass(parent.pid), 'SCHED_FIFO 10');
  const folder = `/proc/${samplerId}/task`;
  const classes = readdirSync(folder).map((thread) =>
    parseSchedulingClass(readFileSync(join(folder, thread, 'stat'), 'utf8')),
  );
  // At least the main thread and that of the loop.
  t.true(classes.length >= 2);
  t.deepEqual(new Set(classes), new Set(['SCHED_OTHER 0']));
});
