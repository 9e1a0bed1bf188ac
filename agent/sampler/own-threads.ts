import { readFileSync, readdirSync, readlinkSync, writeFileSync } from 'node:fs';
import { getPriority, setPriority } from 'node:os';

const TASKS = '/proc/self/task';

/**
 * CPU time of each thread of this process so far, ns, by its id: the first number of
 * /proc/PID/task/TID/schedstat (proc(5)). Empty where the kernel keeps none.
 */
export function readThreadCpuNs(): ReadonlyMap<string, bigint> {
  const times = new Map<string, bigint>();
  for (const thread of threads()) {
    try {
      const [run = ''] = readFileSync(`${TASKS}/${thread}/schedstat`, 'utf8').split(' ', 1);
      if (/^\d+$/.test(run)) times.set(thread, BigInt(run));
    } catch {
      // It has ended meanwhile.
    }
  }
  return times;
}

/** CPU time of all threads between two readings, ns; of those that began meanwhile all of it. */
export function cpuNsBetween(
  before: ReadonlyMap<string, bigint>,
  after: ReadonlyMap<string, bigint>,
): bigint {
  let sum = 0n;
  for (const [thread, run] of after) sum += run - (before.get(thread) ?? 0n);
  return sum;
}

/** Gives every thread of this process the nice value 0, where that is allowed. */
export function resetNice(): void {
  for (const thread of threads()) {
    try {
      if (getPriority(Number(thread)) !== 0) setPriority(Number(thread), 0);
    } catch {
      // A nice value above 0 can be taken back with a right for that only.
    }
  }
}

/**
 * Makes timers of the calling thread fire as exactly as the kernel can: a timer slack of 1 ns
 * (proc(5), /proc/PID/timerslack_ns). Where that is refused timers stay up to 50 us late.
 */
export function tightenOwnTimerSlack(): void {
  try {
    const thread = readlinkSync('/proc/thread-self').split('/').at(-1) ?? '';
    writeFileSync(`/proc/${thread}/timerslack_ns`, '1');
  } catch {
    // The lateness of the rounds tells what that costs.
  }
}

function threads(): string[] {
  try {
    return readdirSync(TASKS);
  } catch {
    return [];
  }
}
