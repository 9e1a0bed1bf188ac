import { join } from 'node:path';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { cgroupCpu } from '../../../agent/collectors/cgroup-cpu.ts';
import { cgroupIo } from '../../../agent/collectors/cgroup-io.ts';
import { cgroupMemory } from '../../../agent/collectors/cgroup-memory.ts';
import { cgroupMemoryStat } from '../../../agent/collectors/cgroup-memory-stat.ts';
import { cgroupPids } from '../../../agent/collectors/cgroup-pids.ts';
import { cgroupPressure } from '../../../agent/collectors/cgroup-pressure.ts';
import type { CgroupFolders, SandboxCollector } from '../../../agent/collectors/collector.ts';
import { readFinal } from '../../../agent/collectors/final-reading.ts';
import { readCaptured } from '../../fixtures/collectors/captured-files.ts';
import { fastSource, layOut, readValues, targetOf, v2Folders } from './fixture-tree.ts';

const V2 = 'linux-6.1-v2.captured';
const V1 = 'linux-6.18-v1.captured';
const PI = 'raspberry-pi-5-16k.composed';
const BLKIO = 'v1-blkio.composed';
const GROUP = '/sys/fs/cgroup/lockstep/s0';

function readFixture(
  t: ExecutionContext,
  collector: SandboxCollector,
  name: string,
): Record<string, number> | string {
  const { folder, roots } = layOut(t, readCaptured(name));
  const v1 = (controller: string): string =>
    join(folder, '/sys/fs/cgroup', controller, 'lockstep-capture');
  const cgroup: CgroupFolders = name.includes('v1')
    ? {
        mode: 'v1',
        cpu: v1('cpu'),
        cpuacct: v1('cpuacct'),
        memory: v1('memory'),
        io: v1('blkio'),
        pids: v1('pids'),
      }
    : v2Folders(join(folder, GROUP));
  return readValues(fastSource(t, collector.open(targetOf(cgroup), roots)));
}

test('cgroupCpu reads times and throttling of version 2', (t) => {
  t.deepEqual(readFixture(t, cgroupCpu, V2), {
    'container.cpu.time': 1.115598,
    'lockstep.sandbox.cpu.mode.time user': 0.261008,
    'lockstep.sandbox.cpu.mode.time system': 0.85459,
    'lockstep.sandbox.cpu.periods': 29,
    'lockstep.sandbox.cpu.throttled.periods': 27,
    'lockstep.sandbox.cpu.throttled.time': 2.817668,
  });
});

test('cgroupCpu reads them on version 1, in seconds as well', (t) => {
  t.deepEqual(readFixture(t, cgroupCpu, V1), {
    'container.cpu.time': 0.595767396,
    'lockstep.sandbox.cpu.mode.time user': 0.14,
    'lockstep.sandbox.cpu.mode.time system': 0.45,
    'lockstep.sandbox.cpu.periods': 19,
    'lockstep.sandbox.cpu.throttled.periods': 19,
    'lockstep.sandbox.cpu.throttled.time': 1.073593143,
  });
});

test('cgroupCpu reads the file of a newer kernel, with more lines in it', (t) => {
  t.deepEqual(readFixture(t, cgroupCpu, PI), {
    'container.cpu.time': 0.412345,
    'lockstep.sandbox.cpu.mode.time user': 0.30012,
    'lockstep.sandbox.cpu.mode.time system': 0.112225,
    'lockstep.sandbox.cpu.periods': 12,
    'lockstep.sandbox.cpu.throttled.periods': 4,
    'lockstep.sandbox.cpu.throttled.time': 0.081234,
  });
});

test('cgroupMemory reads usage, peak and events of version 2', (t) => {
  t.deepEqual(readFixture(t, cgroupMemory, V2), {
    'container.memory.usage': 25_030_656,
    'lockstep.sandbox.memory.peak': 25_165_824,
    'lockstep.sandbox.memory.events high': 0,
    'lockstep.sandbox.memory.events max': 122,
    'lockstep.sandbox.memory.events oom': 1,
    'lockstep.sandbox.memory.events oom_kill': 1,
  });
});

test('cgroupMemory reads them on version 1', (t) => {
  t.deepEqual(readFixture(t, cgroupMemory, V1), {
    'container.memory.usage': 9_572_352,
    'lockstep.sandbox.memory.peak': 16_715_776,
    'lockstep.sandbox.memory.events max': 0,
    'lockstep.sandbox.memory.events oom_kill': 0,
  });
});

test('cgroupMemoryStat reads kinds, faults and working set of version 2', (t) => {
  t.deepEqual(readFixture(t, cgroupMemoryStat, V2), {
    'container.memory.rss': 10_268_672,
    'container.memory.working_set': 25_030_656 - 14_352_384,
    'container.paging.faults minor': 8697,
    'container.paging.faults major': 0,
    'lockstep.sandbox.memory.kind file': 14_352_384,
    'lockstep.sandbox.memory.kind shmem': 0,
    'lockstep.sandbox.memory.kind file_mapped': 0,
    'lockstep.sandbox.memory.kind file_dirty': 0,
    'lockstep.sandbox.memory.kind anon_thp': 0,
    'lockstep.sandbox.memory.kind kernel': 393_216,
    'lockstep.sandbox.memory.kind kernel_stack': 65_536,
    'lockstep.sandbox.memory.kind pagetables': 126_976,
    'lockstep.sandbox.memory.kind percpu': 0,
    'lockstep.sandbox.memory.kind slab': 154_896,
    'lockstep.sandbox.memory.kind sock': 0,
  });
});

test('cgroupMemoryStat reads what version 1 has, by the names of version 2', (t) => {
  t.deepEqual(readFixture(t, cgroupMemoryStat, V1), {
    'container.memory.rss': 8_220_672,
    'container.memory.working_set': 9_572_352,
    'container.paging.faults minor': 45_295,
    'container.paging.faults major': 0,
    'lockstep.sandbox.memory.kind file': 0,
    'lockstep.sandbox.memory.kind shmem': 0,
    'lockstep.sandbox.memory.kind file_mapped': 0,
    'lockstep.sandbox.memory.kind file_dirty': 0,
    'lockstep.sandbox.memory.kind anon_thp': 0,
  });
});

test('cgroupMemoryStat tells minor faults without the major ones', (t) => {
  t.like(readFixture(t, cgroupMemoryStat, PI), {
    'container.paging.faults minor': 1970,
    'container.paging.faults major': 41,
    'container.memory.working_set': 18_874_368 - 6_291_456,
  });
});

test('cgroupIo reads bytes and operations of version 2', (t) => {
  t.deepEqual(readFixture(t, cgroupIo, V2), {
    'container.disk.io read': 34_603_008,
    'container.disk.io write': 1_048_576,
    'lockstep.sandbox.disk.operations read': 33,
    'lockstep.sandbox.disk.operations write': 257,
  });
});

test('cgroupIo adds up the devices of version 1', (t) => {
  t.deepEqual(readFixture(t, cgroupIo, BLKIO), {
    'container.disk.io read': 8192 + 512,
    'container.disk.io write': 4096,
    'lockstep.sandbox.disk.operations read': 3,
    'lockstep.sandbox.disk.operations write': 1,
  });
});

test('cgroupPids reads the number of tasks', (t) => {
  t.deepEqual(readFixture(t, cgroupPids, V2), {
    'lockstep.sandbox.tasks': 5,
  });
  t.deepEqual(readFixture(t, cgroupPids, V1), {
    'lockstep.sandbox.tasks': 2,
  });
});

test('cgroupPressure reads the totals of version 2', (t) => {
  t.deepEqual(readFixture(t, cgroupPressure, V2), {
    'lockstep.sandbox.pressure.time cpu some': 1.552655,
    'lockstep.sandbox.pressure.time cpu full': 1.521439,
    'lockstep.sandbox.pressure.time memory some': 0.036122,
    'lockstep.sandbox.pressure.time memory full': 0.036122,
    'lockstep.sandbox.pressure.time io some': 0.021453,
    'lockstep.sandbox.pressure.time io full': 0.021161,
  });
});

test('cgroupCpu has no throttling to tell on version 2 without the controller', (t) => {
  const { folder, roots } = layOut(t, readCaptured(V2));
  const cpuacct = join(folder, '/sys/fs/cgroup/plain/s0');
  const source = fastSource(t, cgroupCpu.open(targetOf({ mode: 'v2', cpuacct }), roots));
  t.deepEqual(readValues(source), {
    'container.cpu.time': 0,
    'lockstep.sandbox.cpu.mode.time user': 0,
    'lockstep.sandbox.cpu.mode.time system': 0,
  });
});

test('a descriptor that stays open told fresh values on version 2, and ENODEV at the end', (t) => {
  const files = readCaptured(V2);
  t.is(files.get('kept/memory.current-before')?.toString(), '0\n');
  t.true(Number(files.get('kept/memory.current-after')?.toString()) > 8 * 1024 * 1024);
  t.regex(files.get('kept/memory.current-removed')?.toString() ?? '', /no such device/);
});

test('cgroupMemory leaves out the peak where a kernel has none', (t) => {
  const { folder, roots } = layOut(t, readCaptured(V2));
  const group = join(folder, GROUP);
  rmSync(join(group, 'memory.peak'));
  const source = fastSource(t, cgroupMemory.open(targetOf(v2Folders(group)), roots));
  const metrics = source.series.map(({ metric }) => metric);
  t.false(metrics.includes('lockstep.sandbox.memory.peak'));
  t.like(readValues(source), { 'container.memory.usage': 25_030_656 });
});

test('cgroupMemory awaits a group that a runtime makes later', (t) => {
  const { folder, roots } = layOut(t, new Map());
  const group = join(folder, 'later');
  const source = fastSource(t, cgroupMemory.open(targetOf(v2Folders(group)), roots));
  t.is(readValues(source), 'absent');
  mkdirSync(group);
  writeFileSync(join(group, 'memory.current'), '4096\n');
  t.deepEqual(readValues(source), {
    'container.memory.usage': 4096,
    'lockstep.sandbox.memory.peak': Number.NaN,
    'lockstep.sandbox.memory.events high': Number.NaN,
    'lockstep.sandbox.memory.events max': Number.NaN,
    'lockstep.sandbox.memory.events oom': Number.NaN,
    'lockstep.sandbox.memory.events oom_kill': Number.NaN,
  });
});

test('cgroupMemory names the word for the kernel command line where the controller is off', (t) => {
  const { roots } = layOut(t, new Map());
  const cgroup = { mode: 'v2', cpuacct: '/x', reason: 'no memory controller' } as const;
  for (const collector of [cgroupMemory, cgroupMemoryStat]) {
    const opened = collector.open(targetOf(cgroup), roots);
    t.true('unavailable' in opened && /no memory controller/.test(opened.unavailable));
    t.true('remedy' in opened && opened.remedy.includes('cgroup_enable=memory'));
  }
});

test('cgroupPressure says why there is none: version 1, or a kernel without it', (t) => {
  const { folder, roots } = layOut(t, readCaptured(PI));
  const v1 = cgroupPressure.open(targetOf({ mode: 'v1', processes: folder }), roots);
  t.true('unavailable' in v1 && /version 1/.test(v1.unavailable));
  const off = cgroupPressure.open(targetOf(v2Folders(join(folder, GROUP))), roots);
  t.true('remedy' in off && off.remedy.includes('psi=1'));
});

test('cgroupIo says that a kernel does not count on version 1 rather than telling 0', (t) => {
  const { folder, roots } = layOut(t, readCaptured(V1));
  const io = join(folder, '/sys/fs/cgroup/blkio/lockstep-capture');
  const opened = cgroupIo.open(targetOf({ mode: 'v1', io }), roots);
  t.true('unavailable' in opened && /counts no block I\/O/.test(opened.unavailable));
});

test('cgroupMemoryStat keeps minor faults where a major one is counted late', (t) => {
  const { folder, roots } = layOut(t, readCaptured(PI));
  const group = join(folder, GROUP);
  const source = fastSource(t, cgroupMemoryStat.open(targetOf(v2Folders(group)), roots));
  const minorAfter = (faults: number, major: number): unknown => {
    writeFileSync(join(group, 'memory.stat'), `pgfault ${faults}\npgmajfault ${major}\n`);
    return (readValues(source) as Record<string, number>)['container.paging.faults minor'];
  };
  t.deepEqual(
    [minorAfter(10, 1), minorAfter(10, 2), minorAfter(14, 2), minorAfter(14, 3)],
    [9, 9, 12, 12],
  );
});

test('readFinal reads all that a group holds and leaves nothing open', (t) => {
  const { folder, roots } = layOut(t, readCaptured(V2));
  const target = targetOf(v2Folders(join(folder, GROUP)), { index: 3 });
  let clock = 100n;
  const finals = readFinal(target, roots, () => (clock += 1n));
  t.deepEqual(
    finals.map(({ source, instance, atMonoNs }) => [source, instance, atMonoNs]),
    [
      ['cgroup-cpu', 3, 101n],
      ['cgroup-memory', 3, 102n],
      ['cgroup-memory-stat', 3, 103n],
      ['cgroup-io', 3, 104n],
      ['cgroup-pids', 3, 105n],
      ['cgroup-pressure', 3, 106n],
    ],
  );
  t.deepEqual(finals[0]?.readings[0], { metric: 'container.cpu.time', value: 1.115598 });
});

test('readFinal leaves out what a group does not have', (t) => {
  const { folder, roots } = layOut(t, readCaptured(V1));
  const pids = join(folder, '/sys/fs/cgroup/pids/lockstep-capture');
  const finals = readFinal(targetOf({ mode: 'v1', pids }), roots, () => 0n);
  t.deepEqual(
    finals.map(({ source }) => source),
    ['cgroup-pids'],
  );
  t.deepEqual(
    readFinal(targetOf({ mode: 'none', reason: 'none' }), roots, () => 0n),
    [],
  );
});
