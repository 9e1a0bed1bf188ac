import { join } from 'node:path';
import type { SandboxCollector, SeriesIdentity } from './collector.ts';
import { keyedNumbers, oneNumber, openFiles } from './file-source.ts';
import type { FilePart, ParseText } from './file-source.ts';
import { missingController } from './missing-controller.ts';

const USAGE: SeriesIdentity = { metric: 'container.memory.usage' };
const PEAK: SeriesIdentity = { metric: 'lockstep.sandbox.memory.peak' };
const EVENTS_V2 = ['high', 'max', 'oom', 'oom_kill'] as const;

const events = (names: readonly string[]): SeriesIdentity[] =>
  names.map((name) => ({
    metric: 'lockstep.sandbox.memory.events',
    attributes: { 'lockstep.event': name },
  }));

/**
 * Memory that is charged to a sandbox, its peak, and events at its limit. A page counts for the
 * group that touched it first. Source: the kernel's Documentation/admin-guide/cgroup-v2.rst and
 * cgroup-v1/memory.rst.
 */
export const cgroupMemory: SandboxCollector = {
  source: 'cgroup-memory',
  open({ cgroup }) {
    const { memory } = cgroup;
    if (memory === undefined) return missingController(cgroup, 'memory');
    const parts = cgroup.mode === 'v2' ? partsV2(memory) : partsV1(memory);
    return openFiles(parts, { mayComeLater: true });
  },
};

function partsV2(folder: string): FilePart[] {
  return [
    { path: join(folder, 'memory.current'), series: [USAGE], parse: oneNumber() },
    // Since kernel 5.19.
    { path: join(folder, 'memory.peak'), series: [PEAK], parse: oneNumber() },
    { path: join(folder, 'memory.events'), series: events(EVENTS_V2), parse: parseMemoryEvents },
  ];
}

function partsV1(folder: string): FilePart[] {
  const file = (name: string): string => join(folder, name);
  return [
    { path: file('memory.usage_in_bytes'), series: [USAGE], parse: oneNumber() },
    { path: file('memory.max_usage_in_bytes'), series: [PEAK], parse: oneNumber() },
    { path: file('memory.failcnt'), series: events(['max']), parse: oneNumber() },
    { path: file('memory.oom_control'), series: events(['oom_kill']), parse: parseOomControl },
  ];
}

/** memory.events of version 2: times that high and max were reached, out of memory, and kills. */
export const parseMemoryEvents: ParseText = keyedNumbers(EVENTS_V2.map((name) => [name, 1]));

/** memory.oom_control of version 1: kills for want of memory. */
export const parseOomControl: ParseText = keyedNumbers([['oom_kill', 1]]);
