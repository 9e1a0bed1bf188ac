import { join } from 'node:path';
import type { RateLimit, SandboxCollector, SeriesIdentity } from './collector.ts';
import { keyedNumbers, oneNumber, openFiles } from './file-source.ts';
import type { FilePart, ParseText } from './file-source.ts';
import { missingController } from './missing-controller.ts';

/** How the kinds of memory that both versions tell are called on version 1. */
const KINDS_V1: Readonly<Record<string, string>> = {
  file: 'total_cache',
  shmem: 'total_shmem',
  file_mapped: 'total_mapped_file',
  file_dirty: 'total_dirty',
  anon_thp: 'total_rss_huge',
};
const KINDS_V2 = [
  ...Object.keys(KINDS_V1),
  ...['kernel', 'kernel_stack', 'pagetables', 'percpu', 'slab', 'sock'],
];

// Their order is that of the keys below.
const BEFORE_KINDS: readonly SeriesIdentity[] = [
  { metric: 'container.memory.rss' },
  { metric: 'container.memory.working_set' },
  {
    metric: 'container.paging.faults',
    attributes: { 'system.paging.fault.type': 'minor' },
  },
  {
    metric: 'container.paging.faults',
    attributes: { 'system.paging.fault.type': 'major' },
  },
];
const WORKING_SET = 1;
const MINOR = 2;
const MAJOR = 3;

const kindSeries = (kinds: readonly string[]): SeriesIdentity[] =>
  kinds.map((kind) => ({
    metric: 'lockstep.sandbox.memory.kind',
    attributes: { 'lockstep.memory.kind': kind },
  }));

const LIMIT: RateLimit = {
  hz: 25,
  reason:
    'a reading of memory.stat adds up the counters of all processors, 28 times the work of ' +
    'memory.current, and small changes reach it up to 2 s late',
};

/**
 * What the memory of a sandbox consists of. Kinds have the names of version 2 on both versions.
 * Source: the kernel's Documentation/admin-guide/cgroup-v2.rst and cgroup-v1/memory.rst.
 */
export const cgroupMemoryStat: SandboxCollector = {
  source: 'cgroup-memory-stat',
  open({ cgroup }) {
    const { memory } = cgroup;
    if (memory === undefined) return missingController(cgroup, 'memory');
    const isV2 = cgroup.mode === 'v2';
    const series = [...BEFORE_KINDS, ...kindSeries(isV2 ? KINDS_V2 : Object.keys(KINDS_V1))];
    const usage = new Float64Array(1);
    const parseUsage = oneNumber();
    const parts: FilePart[] = [
      {
        path: join(memory, isV2 ? 'memory.current' : 'memory.usage_in_bytes'),
        // It is a series of another source; here it only serves the working set.
        series: [],
        parse: (scan) => {
          parseUsage(scan, usage, 0);
        },
      },
      {
        path: join(memory, 'memory.stat'),
        series,
        parse: isV2 ? parseMemoryStatV2 : parseMemoryStatV1,
        // The kernel counts a major fault when the fault is already counted as a minor one.
        stepsBack: true,
      },
    ];
    return openFiles(parts, {
      limit: LIMIT,
      mayComeLater: true,
      combine: (row) => {
        // The figures are of two instants, and that of the file may be a little old.
        row[WORKING_SET] = Math.max(0, (usage[0] ?? Number.NaN) - (row[WORKING_SET] ?? Number.NaN));
      },
    });
  },
};

/**
 * memory.stat of version 2: anonymous memory, inactive file pages, minor and major faults, kinds.
 */
export const parseMemoryStatV2: ParseText = memoryStat([
  ...['anon', 'inactive_file', 'pgfault', 'pgmajfault'],
  ...KINDS_V2,
]);

/** The same of version 1, with what is below the group, and without the kernel's own kinds. */
export const parseMemoryStatV1: ParseText = memoryStat([
  ...['total_rss', 'total_inactive_file', 'total_pgfault', 'total_pgmajfault'],
  ...Object.values(KINDS_V1),
]);

function memoryStat(keys: readonly string[]): ParseText {
  const parse = keyedNumbers(keys.map((key) => [key, 1]));
  return (scan, row, at) => {
    parse(scan, row, at);
    row[at + MINOR] = (row[at + MINOR] ?? Number.NaN) - (row[at + MAJOR] ?? Number.NaN);
  };
}
