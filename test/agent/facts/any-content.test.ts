import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import fc from 'fast-check';
import test from 'ava';
import { readDiskFact } from '../../../agent/facts/disk.ts';
import { readKernelFacts } from '../../../agent/facts/kernel.ts';
import { readMemoryFacts } from '../../../agent/facts/memory.ts';
import { readNetworkFact } from '../../../agent/facts/network.ts';
import { readPressureFact } from '../../../agent/facts/pressure.ts';
import { readProcessorFacts } from '../../../agent/facts/processor.ts';
import { readKvmFact, readVirtualisation } from '../../../agent/facts/virtualisation.ts';
import { DeviceFacts } from '../../../schemas/device.ts';
import { makeFactTree } from '../../support/fact-tree.ts';

const POLICY = 'sys/devices/system/cpu/cpufreq/policy0';
const FILES = [
  ...['auxv', 'mountinfo', 'cgroup'].map((name) => `proc/self/${name}`),
  ...['cgroups', 'cmdline', 'cpuinfo', 'swaps', 'net/route', 'net/ipv6_route', 'config.gz'].map(
    (name) => `proc/${name}`,
  ),
  ...['scaling_governor', 'scaling_driver', 'affected_cpus', 'scaling_min_freq'].map(
    (name) => `${POLICY}/${name}`,
  ),
  'sys/devices/system/cpu/cpufreq/boost',
  'sys/devices/system/cpu/isolated',
  'sys/devices/system/cpu/smt/active',
  'sys/devices/system/clocksource/clocksource0/current_clocksource',
  'sys/kernel/debug/sched/preempt',
  'sys/kernel/mm/transparent_hugepage/enabled',
  'sys/kernel/security/lockdown',
  'sys/class/net/eth0/speed',
  'sys/hypervisor/type',
  'run/systemd/container',
];

const LINES = [
  '27 1 8:1 / / rw - ext4 /dev/sda1 rw',
  '31 23 0:28 / /x rw - cgroup2 none rw',
  'eth0\t00000000\t0\t0003\t0\t0\t100\t00000000\t0\t0\t0',
  'cpu\t1\t1\t1',
  '/dev/zram0 partition 999999999999 0 1',
  'CONFIG_HZ=999999999999999999',
  'always [madvise] never',
  'x'.repeat(400),
];
/** What a file may hold: bytes, numbers of any size, and lines of the right form but long. */
const content = fc.oneof(
  fc.uint8Array({ maxLength: 64 }).map((bytes) => Buffer.from(bytes)),
  fc.bigInt({ min: -1n, max: 10n ** 20n }).map((number) => Buffer.from(`${number}\n`)),
  fc
    .array(fc.oneof(fc.constantFrom(...LINES), fc.string({ maxLength: 20 })), { maxLength: 12 })
    .map((lines) => Buffer.from(lines.join('\n').repeat(4))),
);

const OTHERS = {
  ...{ hostname: '', machineId: '', bootId: '', timeNamespace: '', model: '', cpuModel: '' },
  ...{ architecture: 'x64', cpuCount: 1, memoryBytes: 1, kernel: '', os: '', cgroup: 'none' },
  isRoot: false,
};

test('whatever the files hold, facts keep to their schema', async (t) => {
  const roots = await makeFactTree(t, {});
  const top = dirname(roots.proc);
  for (const file of FILES) await mkdir(dirname(join(top, file)), { recursive: true });
  await fc.assert(
    fc.asyncProperty(fc.array(content, { minLength: 8, maxLength: 8 }), async (contents) => {
      for (const [i, file] of FILES.entries()) {
        await writeFile(join(top, file), contents[i % contents.length] ?? '');
      }
      const disk = await readDiskFact(roots, '/');
      const network = readNetworkFact(roots);
      DeviceFacts.parse({
        ...OTHERS,
        ...readKernelFacts(roots),
        ...readProcessorFacts(roots),
        ...readMemoryFacts(roots),
        ...readVirtualisation(roots),
        pressure: readPressureFact(roots),
        kvm: readKvmFact(roots),
        ...(disk === undefined ? {} : { disk }),
        ...(network === undefined ? {} : { network }),
      });
    }),
    { numRuns: 150 },
  );
  t.pass();
});
