import { join } from 'node:path';
import type { SandboxCollector, SeriesIdentity } from './collector.ts';
import { keyedNumbers, oneNumber, openFiles } from './file-source.ts';
import type { FilePart, ParseText } from './file-source.ts';
import { tickLimit } from './kernel-tick.ts';
import { missingController } from './missing-controller.ts';

const NS_PER_S = 1e9;
const USEC_PER_S = 1e6;
/** cpuacct.stat counts in these, on every architecture of Lockstep. */
const USER_HZ = 100;

const TIME: SeriesIdentity = { metric: 'container.cpu.time' };
const MODES: readonly SeriesIdentity[] = ['user', 'system'].map((mode) => ({
  metric: 'lockstep.sandbox.cpu.mode.time',
  attributes: { 'cpu.mode': mode },
}));
const THROTTLING: readonly SeriesIdentity[] = [
  { metric: 'lockstep.sandbox.cpu.periods' },
  { metric: 'lockstep.sandbox.cpu.throttled.periods' },
  { metric: 'lockstep.sandbox.cpu.throttled.time' },
];

/**
 * CPU time and throttling of a sandbox. On version 1 they are in two hierarchies.
 * Source: the kernel's Documentation/admin-guide/cgroup-v2.rst, cgroup-v1/cpuacct.rst and
 * Documentation/scheduler/sched-bwc.rst.
 */
export const cgroupCpu: SandboxCollector = {
  source: 'cgroup-cpu',
  open({ cgroup }, roots) {
    const parts = cgroup.mode === 'v2' ? partsV2(cgroup) : partsV1(cgroup);
    if (parts.length === 0) return missingController(cgroup, 'cpuacct');
    return openFiles(parts, { limit: tickLimit(roots), mayComeLater: true });
  },
};

type CpuFolders = Readonly<Partial<Record<'cpu' | 'cpuacct', string>>>;

function partsV2({ cpu, cpuacct }: CpuFolders): FilePart[] {
  const folder = cpuacct ?? cpu;
  if (folder === undefined) return [];
  const path = join(folder, 'cpu.stat');
  // Without the controller the file is there and has the times only.
  return cpu === undefined
    ? [{ path, series: [TIME, ...MODES], parse: parseCpuTimesV2 }]
    : [{ path, series: [TIME, ...MODES, ...THROTTLING], parse: parseCpuStatV2 }];
}

function partsV1({ cpu, cpuacct }: CpuFolders): FilePart[] {
  const parts: FilePart[] = [];
  if (cpuacct !== undefined) {
    parts.push(
      { path: join(cpuacct, 'cpuacct.usage'), series: [TIME], parse: oneNumber(NS_PER_S) },
      { path: join(cpuacct, 'cpuacct.stat'), series: MODES, parse: parseCpuacctStat },
    );
  }
  if (cpu !== undefined) {
    parts.push({ path: join(cpu, 'cpu.stat'), series: THROTTLING, parse: parseCpuStatV1 });
  }
  return parts;
}

/** cpu.stat of version 2 without the controller: total, user and system time. */
export const parseCpuTimesV2: ParseText = keyedNumbers([
  ['usage_usec', USEC_PER_S],
  ['user_usec', USEC_PER_S],
  ['system_usec', USEC_PER_S],
]);

/** cpu.stat of version 2: the times, then periods, throttled ones, and their time. */
export const parseCpuStatV2: ParseText = keyedNumbers([
  ['usage_usec', USEC_PER_S],
  ['user_usec', USEC_PER_S],
  ['system_usec', USEC_PER_S],
  ['nr_periods', 1],
  ['nr_throttled', 1],
  ['throttled_usec', USEC_PER_S],
]);

/** cpuacct.stat of version 1: user and system time. */
export const parseCpuacctStat: ParseText = keyedNumbers([
  ['user', USER_HZ],
  ['system', USER_HZ],
]);

/** cpu.stat of version 1: periods, throttled ones, and their time. */
export const parseCpuStatV1: ParseText = keyedNumbers([
  ['nr_periods', 1],
  ['nr_throttled', 1],
  ['throttled_time', NS_PER_S],
]);
