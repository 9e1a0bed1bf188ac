import { readFileSync, readdirSync } from 'node:fs';

const TICKS_PER_SECOND = 100;
const NS_PER_TICK = 1e9 / TICKS_PER_SECOND;

/**
 * CPU time of all threads that processes have now, ns: the first numbers of
 * /proc/PID/task/TID/schedstat (proc(5)).
 */
export function readCpuNs(...pids: readonly number[]): number {
  let sumNs = 0;
  for (const pid of pids) {
    for (const thread of threadsOf(pid)) {
      const [runNs = ''] = read(`/proc/${pid}/task/${thread}/schedstat`).split(' ', 1);
      sumNs += Number(runNs);
    }
  }
  return sumNs;
}

/** CPU time of the ended children of a process, and of theirs, ns: in ticks of 10 ms. */
export function readChildrenCpuNs(pid: number): number {
  const text = read(`/proc/${pid}/stat`);
  // The name may have spaces and brackets; behind it cutime and cstime are numbers 14 and 15.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[13] ?? 0) + Number(fields[14] ?? 0)) * NS_PER_TICK;
}

/** How busy all processors were: ticks so far, and those in which one worked. */
export interface MachineTicks {
  readonly all: number;
  readonly busy: number;
}

/** Reads /proc/stat (proc_stat(5)). */
export function readMachineTicks(): MachineTicks {
  const [line = ''] = read('/proc/stat').split('\n', 1);
  // user nice system idle iowait irq softirq steal; guests are in user and nice.
  const ticks = line.trim().split(/\s+/).slice(1, 9).map(Number);
  const all = ticks.reduce((sum, value) => sum + value, 0);
  return { all, busy: all - (ticks[3] ?? 0) - (ticks[4] ?? 0) };
}

/** Share of the processors that was busy since then, %. */
export function busyPercentSince(before: MachineTicks): number | undefined {
  const after = readMachineTicks();
  const all = after.all - before.all;
  return all > 0 ? (100 * (after.busy - before.busy)) / all : undefined;
}

/** Processes whose name begins so. */
export function processesNamed(...beginnings: readonly string[]): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      const name = read(`/proc/${pid}/comm`);
      return beginnings.some((beginning) => name.startsWith(beginning));
    })
    .map(Number);
}

function threadsOf(pid: number): string[] {
  try {
    return readdirSync(`/proc/${pid}/task`);
  } catch {
    return [];
  }
}

function read(path: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    // It has ended meanwhile.
    return '';
  }
}
