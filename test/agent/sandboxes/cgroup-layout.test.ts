import test from 'ava';
import {
  cgroupPath,
  parseCgroupLayout,
  planLimits,
} from '../../../agent/sandboxes/cgroup-layout.ts';

const HYBRID = `22 27 0:21 / /proc rw,relatime - proc proc rw
31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755
32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw,relatime shared:9 - cgroup cgroup rw,cpu,cpuacct
35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory
36 31 0:33 / /sys/fs/cgroup/devices rw,relatime - cgroup cgroup rw,devices
40 31 0:37 / /sys/fs/cgroup/systemd rw,relatime - cgroup cgroup rw,name=systemd
41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw
`;
const UNIFIED = '30 24 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n';

test('parseCgroupLayout finds controllers on version 1 beside an empty version 2', (t) => {
  const layout = parseCgroupLayout(HYBRID, '4:memory:/x\n0::/\n');
  t.is(layout.version, 1);
  t.deepEqual(
    [...layout.controllers],
    [
      ['cpu', '/sys/fs/cgroup/cpu,cpuacct'],
      ['cpuacct', '/sys/fs/cgroup/cpu,cpuacct'],
      ['memory', '/sys/fs/cgroup/memory'],
    ],
  );
});

test('parseCgroupLayout lists every mount, as runtimes make groups in all of them', (t) => {
  t.is(parseCgroupLayout(HYBRID, '').mounts.length, 5);
});

test('parseCgroupLayout reads version 2 and the own group', (t) => {
  const layout = parseCgroupLayout(UNIFIED, '0::/system.slice/agent.service\n');
  t.like(layout, {
    version: 2,
    unified: '/sys/fs/cgroup',
    ownPath: '/system.slice/agent.service',
  });
});

test('parseCgroupLayout decodes the octal escapes of a mount point', (t) => {
  const layout = parseCgroupLayout(UNIFIED.replace('/sys/fs/cgroup', '/a\\040b'), '');
  t.is(layout.unified, '/a b');
});

test('parseCgroupLayout says version 0 where nothing is mounted', (t) => {
  t.like(parseCgroupLayout('22 27 0:21 / /proc rw - proc proc rw\n', ''), { version: 0 });
});

test('planLimits has the same limits for both versions', (t) => {
  const words = (version: 1 | 2): Record<string, string> =>
    Object.fromEntries(
      planLimits(version, { memoryMib: 256, cpus: 0.5 }).map(({ file, value }) => [file, value]),
    );
  t.deepEqual(words(1), {
    'cpu.cfs_period_us': '100000',
    'cpu.cfs_quota_us': '50000',
    'memory.limit_in_bytes': '268435456',
    'memory.memsw.limit_in_bytes': '268435456',
    'pids.max': '4096',
  });
  t.deepEqual(words(2), {
    'cpu.max': '50000 100000',
    'memory.max': '268435456',
    'memory.swap.max': '0',
    'pids.max': '4096',
  });
});

test('cgroupPath is below the device', (t) => {
  t.is(cgroupPath('pi-1', 's0'), '/lockstep/pi-1/s0');
});
