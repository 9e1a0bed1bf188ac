import { readFileSync, writeFileSync } from 'node:fs';

/** Names of the scheduling policies by number: sched(7), include/uapi/linux/sched.h. */
const POLICIES: Record<number, string> = {
  0: 'SCHED_OTHER',
  1: 'SCHED_FIFO',
  2: 'SCHED_RR',
  3: 'SCHED_BATCH',
  5: 'SCHED_IDLE',
  6: 'SCHED_DEADLINE',
};

/**
 * The scheduling class of a process with its priority: the real-time priority, or else the nice
 * value, e.g. `SCHED_FIFO 10` or `SCHED_OTHER 0`. `unknown` if /proc can't be read.
 */
export function readSchedulingClass(processId: number | 'self' = 'self'): string {
  try {
    return parseSchedulingClass(readFileSync(`/proc/${processId}/stat`, 'utf8'));
  } catch {
    return 'unknown';
  }
}

/** Parses /proc/PID/stat: nice is field 19, rt_priority 40, policy 41 (proc(5)). */
export function parseSchedulingClass(stat: string): string {
  // The name of the program, field 2, may hold spaces and parentheses.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const nice = fields[16] ?? '?';
  const realTimePriority = fields[37] ?? '?';
  const policy = Number(fields[38] ?? Number.NaN);
  const name = POLICIES[policy] ?? `policy ${policy}`;
  return `${name} ${policy === 1 || policy === 2 ? realTimePriority : nice}`;
}

/**
 * Makes timers of this process's main thread fire as exactly as the kernel can (timer slack 1 ns,
 * prctl(2) PR_SET_TIMERSLACK). Where that is refused timers stay up to 50 us late.
 */
export function tightenTimerSlack(): void {
  try {
    writeFileSync('/proc/self/timerslack_ns', '1');
  } catch {
    // The busy wait at the end of each wait makes up for it.
  }
}
