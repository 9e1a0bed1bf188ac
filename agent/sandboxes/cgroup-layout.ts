import { join } from 'node:path';
import type { SandboxLimits } from '../../schemas/sandbox.ts';

/**
 * The controllers that a sandbox's limits and figures come from. Block I/O is `blkio` on version 1
 * and `io` on version 2.
 */
export const CONTROLLERS = ['cpu', 'cpuacct', 'memory', 'pids', 'freezer', 'blkio', 'io'] as const;
export type Controller = (typeof CONTROLLERS)[number];

/** Where this system has its cgroups; paths are mount points. */
export interface CgroupLayout {
  /** 1: one hierarchy per controller. 2: one for all. 0: there are none. */
  readonly version: 0 | 1 | 2;
  /** Version 1: mount point of each controller found. Empty otherwise. */
  readonly controllers: ReadonlyMap<Controller, string>;
  /** Every cgroup mount, whatever is on it; runtimes make their groups in all of them. */
  readonly mounts: readonly string[];
  /** Version 2: mount point of the one hierarchy. */
  readonly unified?: string;
  /** Version 2: path of this process's own cgroup, which may be delegated to its user. */
  readonly ownPath?: string;
}

/**
 * Reads the layout from the texts of /proc/self/mountinfo and /proc/self/cgroup. Controllers on
 * version 1 win over a version 2 mount beside them, because a controller can be on one only.
 * Source: proc(5), cgroups(7).
 */
export function parseCgroupLayout(mountinfo: string, selfCgroup: string): CgroupLayout {
  const controllers = new Map<Controller, string>();
  const mounts: string[] = [];
  let unified: string | undefined;
  for (const line of mountinfo.split('\n')) {
    const [left = '', right = ''] = line.split(' - ', 2);
    const [type = '', , options = ''] = right.split(' ');
    if (type !== 'cgroup' && type !== 'cgroup2') continue;
    const mountPoint = unescapeOctal(left.split(' ')[4] ?? '');
    mounts.push(mountPoint);
    if (type === 'cgroup2') unified ??= mountPoint;
    for (const option of type === 'cgroup' ? options.split(',') : []) {
      if (isController(option) && !controllers.has(option)) controllers.set(option, mountPoint);
    }
  }
  if (controllers.has('cpu') || controllers.has('memory')) {
    return { version: 1, controllers, mounts };
  }
  if (unified === undefined) return { version: 0, controllers: new Map(), mounts };
  const ownPath = /^0::(.*)$/m.exec(selfCgroup)?.[1] ?? '/';
  return { version: 2, controllers: new Map(), mounts, unified, ownPath };
}

function isController(word: string): word is Controller {
  return (CONTROLLERS as readonly string[]).includes(word);
}

function unescapeOctal(text: string): string {
  return text.replaceAll(/\\([0-7]{3})/g, (_, digits: string) =>
    String.fromCharCode(Number.parseInt(digits, 8)),
  );
}

/** A value to write into a file of a new cgroup. */
export interface LimitFile {
  readonly controller: Controller;
  readonly file: string;
  readonly value: string;
  /** True if the file is absent on some kernels, and then nothing is lost. */
  readonly optional: boolean;
}

/** Processes and threads that one sandbox may have. */
export const PROCESSES_MAX = 4096;

/** Length of the interval that the CPU limit is kept in. */
export const CPU_PERIOD_USEC = 100_000;

/** The files that hold a sandbox's limits, in the order to write them. */
export function planLimits(version: 1 | 2, limits: SandboxLimits): LimitFile[] {
  const memory = String(limits.memoryMib * 1024 * 1024);
  const quotaUsec = String(Math.round(limits.cpus * CPU_PERIOD_USEC));
  const entry = (
    controller: Controller,
    file: string,
    value: string,
    optional = false,
  ): LimitFile => ({ controller, file, value, optional });
  const pids = entry('pids', 'pids.max', String(PROCESSES_MAX));
  if (version === 2) {
    return [
      entry('cpu', 'cpu.max', `${quotaUsec} ${CPU_PERIOD_USEC}`),
      entry('memory', 'memory.max', memory),
      entry('memory', 'memory.swap.max', '0', true),
      pids,
    ];
  }
  return [
    entry('cpu', 'cpu.cfs_period_us', String(CPU_PERIOD_USEC)),
    entry('cpu', 'cpu.cfs_quota_us', quotaUsec),
    entry('memory', 'memory.limit_in_bytes', memory),
    // Memory and swap together: with the same value there is no swap.
    entry('memory', 'memory.memsw.limit_in_bytes', memory, true),
    pids,
  ];
}

/** Path of a sandbox's cgroup below each mount point, or of the agent's if no id is given. */
export function cgroupPath(cgroupName: string, sandboxId?: string): string {
  return join('/lockstep', cgroupName, sandboxId ?? '');
}
