import { gzipSync } from 'node:zlib';
import test from 'ava';
import { findMount, readDiskFact } from '../../../agent/facts/disk.ts';
import { kernelOption, readKernelConfig } from '../../../agent/facts/kernel-config.ts';
import { readCgroupFacts, readKernelFacts, readPreemption } from '../../../agent/facts/kernel.ts';
import { parseSwaps, readMemoryFacts } from '../../../agent/facts/memory.ts';
import { readNetworkFact } from '../../../agent/facts/network.ts';
import { readPressureFact } from '../../../agent/facts/pressure.ts';
import { readProcessorFacts } from '../../../agent/facts/processor.ts';
import {
  readKvmFact,
  readVirtualisation,
  withGuestBoot,
} from '../../../agent/facts/virtualisation.ts';
import { DeviceFacts } from '../../../schemas/device.ts';
import type { SandboxAvailability } from '../../../schemas/sandbox.ts';
import { makeFactTree } from '../../support/fact-tree.ts';

// The trees here are composed after the kernel's documentation, not captured.

const CPU = 'sys/devices/system/cpu';
const DYNAMIC = '#1 SMP PREEMPT_DYNAMIC Debian 6.12.1-1';

function policy(number: number, governor: string, cpus: string): Record<string, string> {
  const folder = `${CPU}/cpufreq/policy${number}`;
  return {
    [`${folder}/scaling_governor`]: `${governor}\n`,
    [`${folder}/scaling_driver`]: 'intel_cpufreq\n',
    [`${folder}/affected_cpus`]: `${cpus}\n`,
    [`${folder}/scaling_min_freq`]: '800000\n',
    [`${folder}/scaling_max_freq`]: '3600000\n',
  };
}

test('readProcessorFacts tells policies of one setting as one, and others apart', async (t) => {
  const roots = await makeFactTree(t, {
    ...policy(0, 'performance', '0'),
    ...policy(1, 'performance', '1'),
    ...policy(2, 'powersave', '2 3'),
    ...policy(10, 'performance', '10'),
    [`${CPU}/intel_pstate/no_turbo`]: '1\n',
    [`${CPU}/smt/active`]: '1\n',
    [`${CPU}/isolated`]: '2-3\n',
  });
  const range = { driver: 'intel_cpufreq', minimumHz: 800e6, maximumHz: 3600e6 };
  t.deepEqual(readProcessorFacts(roots), {
    frequencyPolicies: [
      { cpus: '0-1,10', governor: 'performance', ...range },
      { cpus: '2-3', governor: 'powersave', ...range },
    ],
    isTurboOn: false,
    isSmtActive: true,
    isolatedCpus: '2-3',
  });
});

test('readProcessorFacts leaves out what the kernel does not tell', async (t) => {
  t.deepEqual(readProcessorFacts(await makeFactTree(t, {})), {});
  const roots = await makeFactTree(t, {
    [`${CPU}/cpufreq/boost`]: '1\n',
    [`${CPU}/isolated`]: '\n',
  });
  t.deepEqual(readProcessorFacts(roots), { isTurboOn: true });
});

test('readKernelConfig takes the running configuration, else that in /boot', async (t) => {
  const text = 'CONFIG_HZ_250=y\n# CONFIG_HZ_1000 is not set\nCONFIG_HZ=250\n';
  const packed = await makeFactTree(t, { 'proc/config.gz': gzipSync(text) });
  t.is(kernelOption(readKernelConfig(packed, '6.1'), 'CONFIG_HZ'), '250');
  t.is(kernelOption(readKernelConfig(packed, '6.1'), 'CONFIG_HZ_1000'), undefined);
  const files = { 'proc/config.gz': 'torn', 'boot/config-6.1': 'CONFIG_HZ=1000\n' };
  const plain = await makeFactTree(t, files);
  t.is(kernelOption(readKernelConfig(plain, '6.1'), 'CONFIG_HZ'), '1000');
  t.is(readKernelConfig(plain, '6.2'), undefined);
});

test('readKernelFacts reads clock source, lockdown and the size of a page', async (t) => {
  const auxv = Buffer.alloc(48);
  [16n, 0xffn, 6n, 16_384n, 0n, 0n].forEach((word, i) => auxv.writeBigUInt64LE(word, i * 8));
  const roots = await makeFactTree(t, {
    'proc/self/auxv': auxv,
    'proc/config.gz': gzipSync('CONFIG_HZ=100\n'),
    'sys/devices/system/clocksource/clocksource0/current_clocksource': 'arch_sys_counter\n',
    'sys/kernel/security/lockdown': 'none [integrity] confidentiality\n',
  });
  const { pageSizeBytes, timerHz, clocksource, lockdown } = readKernelFacts(roots);
  t.deepEqual(
    { pageSizeBytes, timerHz, clocksource, lockdown },
    { pageSizeBytes: 16_384, timerHz: 100, clocksource: 'arch_sys_counter', lockdown: 'integrity' },
  );
});

test('readPreemption believes debugfs, then the command line, then the build', async (t) => {
  const debugfs = { 'sys/kernel/debug/sched/preempt': 'none voluntary (full) lazy\n' };
  const cmdline = { 'proc/cmdline': 'quiet preempt=voluntary rw\n' };
  const config = 'CONFIG_PREEMPT_NONE=y\nCONFIG_PREEMPT_DYNAMIC=y\n';
  const all = await makeFactTree(t, { ...debugfs, ...cmdline });
  t.is(readPreemption(all, DYNAMIC, config), 'full');
  t.is(readPreemption(await makeFactTree(t, cmdline), DYNAMIC, config), 'voluntary');
  const bare = await makeFactTree(t, {});
  t.is(readPreemption(bare, DYNAMIC, config), 'none');
  t.is(readPreemption(bare, DYNAMIC, undefined), undefined);
  t.is(readPreemption(bare, '#1 SMP PREEMPT_RT Debian', config), 'real-time');
  t.is(readPreemption(bare, '#1 SMP PREEMPT Tue', undefined), 'full');
  t.is(readPreemption(bare, '#1 SMP Debian', 'CONFIG_PREEMPT_VOLUNTARY=y\n'), 'voluntary');
});

test('readCgroupFacts tells versions and the controllers that are on', async (t) => {
  const line = (type: string, options: string): string =>
    `31 23 0:28 / /nowhere/${type} rw - ${type} none ${options}\n`;
  const table = '#subsys_name\thierarchy\tnum_cgroups\tenabled\ncpu\t1\t1\t1\nmemory\t0\t1\t0\n';
  const tree = (mountinfo: string) =>
    makeFactTree(t, { 'proc/self/mountinfo': mountinfo, 'proc/cgroups': table });
  const hybrid = await tree(line('cgroup', 'rw,cpu') + line('cgroup2', 'rw'));
  t.deepEqual(readCgroupFacts(hybrid), { cgroupLayout: 'hybrid', cgroupControllers: ['cpu'] });
  t.is(readCgroupFacts(await tree(line('cgroup', 'rw,cpu'))).cgroupLayout, 'v1');
  t.deepEqual(readCgroupFacts(await tree('')), { cgroupLayout: 'none' });
  t.deepEqual(readCgroupFacts(await makeFactTree(t, {})), {});
});

test('readPressureFact says why there are no figures, and what would make them', async (t) => {
  const on = await makeFactTree(t, { 'proc/pressure/cpu': 'some avg10=0.00\n' });
  t.deepEqual(readPressureFact(on), { available: true });
  const off = await makeFactTree(t, { 'proc/config.gz': gzipSync('CONFIG_PSI=y\n') });
  const fact = readPressureFact(off);
  t.false(fact.available);
  t.regex(fact.available ? '' : (fact.remedy ?? ''), /psi=1/);
  const without = readPressureFact(
    await makeFactTree(t, { 'proc/config.gz': gzipSync('CONFIG_HZ=250\n') }),
  );
  t.regex(without.available ? '' : (without.remedy ?? ''), /CONFIG_PSI=y/);
  t.notRegex(without.available ? '' : (without.remedy ?? ''), /psi=1/);
});

test('readMemoryFacts adds swap up and tells zram apart', async (t) => {
  const swaps =
    'Filename\tType\tSize\tUsed\tPriority\n' +
    '/dev/zram0 partition\t2048\t0\t100\n/swapfile file\t1024\t0\t-2\n';
  const roots = await makeFactTree(t, {
    'proc/swaps': swaps,
    'sys/kernel/mm/ksm/run': '1\n',
    'sys/kernel/mm/transparent_hugepage/enabled': 'always [madvise] never\n',
  });
  t.deepEqual(readMemoryFacts(roots), {
    swap: { totalBytes: 3072 * 1024, zramBytes: 2048 * 1024 },
    isKsmOn: true,
    hugePages: 'madvise',
  });
  t.deepEqual(parseSwaps('Filename Type Size Used Priority\n'), { totalBytes: 0, zramBytes: 0 });
  t.deepEqual(readMemoryFacts(await makeFactTree(t, {})), {});
});

test('findMount takes the innermost mount, and of two on one point the later', (t) => {
  const mountinfo =
    '27 1 254:0 / / rw - ext4 /dev/vda rw\n' +
    '30 27 8:1 / /srv/my\\040data rw shared:1 - xfs /dev/sda1 rw\n' +
    '31 27 0:40 / /srv/other rw - tmpfs tmpfs rw\n' +
    '32 27 0:41 / / rw - overlay overlay rw\n';
  t.is(findMount(mountinfo, '/srv/my data/runs')?.source, '/dev/sda1');
  t.is(findMount(mountinfo, '/srv/others')?.fileSystem, 'overlay');
  t.is(findMount('', '/srv'), undefined);
});

test('readDiskFact names the disk below partitions, and its kind', async (t) => {
  const disk = 'sys/devices/platform/mmc0/block/mmcblk0';
  const roots = await makeFactTree(t, {
    'proc/self/mountinfo': '27 1 179:2 / / rw - ext4 /dev/root rw\n',
    [`${disk}/mmcblk0p2/partition`]: '2\n',
    [`${disk}/device/type`]: 'SD\n',
    [`${disk}/device/name`]: 'SC32G\n',
    'sys/dev/block/179:2': { linkTo: `${disk}/mmcblk0p2` },
    'sys/class/block/mmcblk0': { linkTo: disk },
  });
  const fact = await readDiskFact(roots, '/');
  t.like(fact, { device: 'mmcblk0', model: 'SC32G', kind: 'sd-card', fileSystem: 'ext4' });
  t.is(await readDiskFact(roots, '/not/there'), undefined);
});

test('readDiskFact goes through layers to the disk', async (t) => {
  const disk = 'sys/devices/pci0000:00/ata1/block/sda';
  const roots = await makeFactTree(t, {
    'proc/self/mountinfo': '27 1 253:0 / / rw - btrfs /dev/mapper/root rw\n',
    'sys/devices/virtual/block/dm-0/slaves/sda3': '',
    'sys/dev/block/253:0': { linkTo: 'sys/devices/virtual/block/dm-0' },
    [`${disk}/sda3/partition`]: '3\n',
    [`${disk}/queue/rotational`]: '1\n',
    'sys/class/block/sda3': { linkTo: `${disk}/sda3` },
    'sys/class/block/sda': { linkTo: disk },
  });
  t.like(await readDiskFact(roots, '/'), { device: 'sda', kind: 'hdd', fileSystem: 'btrfs' });
});

const ROUTES =
  'Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n' +
  'wlan0\t00000000\t0100A8C0\t0003\t0\t0\t600\t00000000\t0\t0\t0\n' +
  'eth0\t00000000\t0100A8C0\t0003\t0\t0\t100\t00000000\t0\t0\t0\n' +
  'eth0\t0000A8C0\t00000000\t0001\t0\t0\t100\t00FFFFFF\t0\t0\t0\n';

test('readNetworkFact takes the default route with the lowest metric', async (t) => {
  const roots = await makeFactTree(t, {
    'proc/net/route': ROUTES,
    'sys/class/net/eth0/speed': '1000\n',
    'sys/class/net/eth0/device/driver': { linkTo: 'sys/drivers/bcmgenet' },
  });
  const wired = { interface: 'eth0', kind: 'wired', driver: 'bcmgenet', speedMbps: 1000 } as const;
  t.deepEqual(readNetworkFact(roots), wired);
});

test('readNetworkFact tells wireless and virtual ones, and no speed where there is none', async (t) => {
  const wireless = await makeFactTree(t, {
    'proc/net/route': ROUTES.replace(/^eth0\t00000000.*\n/m, ''),
    'sys/class/net/wlan0/phy80211/index': '0\n',
    'sys/class/net/wlan0/speed': '-1\n',
  });
  t.deepEqual(readNetworkFact(wireless), { interface: 'wlan0', kind: 'wireless' });
  const virtual = await makeFactTree(t, {
    'proc/net/route': '',
    'proc/net/ipv6_route':
      `${'0'.repeat(32)} 00 ${'0'.repeat(32)} 00 fe8000000000 00000400 ` +
      '00000001 00000000 00450003 br0\n',
  });
  t.deepEqual(readNetworkFact(virtual), { interface: 'br0', kind: 'virtual' });
  t.is(readNetworkFact(await makeFactTree(t, {})), undefined);
});

test('readVirtualisation tells the hypervisor, or that there is none, or nothing', async (t) => {
  const cpuinfo = (flags: string) => ({ 'proc/cpuinfo': `flags\t\t: fpu ${flags}\n` });
  const dmi = (vendor: string) => ({ 'sys/class/dmi/id/sys_vendor': `${vendor}\n` });
  const found = async (files: Record<string, string>) =>
    readVirtualisation(await makeFactTree(t, files)).hypervisor;
  t.is(await found({ ...cpuinfo('hypervisor'), ...dmi('QEMU') }), 'kvm');
  t.is(await found(cpuinfo('hypervisor')), 'unknown');
  t.is(await found({ ...cpuinfo('vmx'), ...dmi('LENOVO') }), 'none');
  t.is(await found({ 'proc/cpuinfo': 'Features\t: fp asimd\n' }), undefined);
  t.is(await found({ 'proc/device-tree/hypervisor/compatible': 'linux,kvm\0' }), 'kvm');
});

const FACTS: DeviceFacts = {
  hostname: 'h',
  machineId: '',
  bootId: '',
  timeNamespace: '',
  architecture: 'x64',
  model: '',
  cpuModel: '',
  cpuCount: 1,
  memoryBytes: 0,
  kernel: '',
  os: '',
  cgroup: 'none',
  isRoot: false,
};

test('withGuestBoot says whether a guest booted only where one was tried', async (t) => {
  const roots = await makeFactTree(t, { 'sys/module/kvm/version': '', 'dev/kvm': '' });
  const kvm = readKvmFact(roots);
  t.deepEqual(kvm, { module: 'kvm', isAccessible: true });
  const probed = (details: Record<string, string>): SandboxAvailability[] => [
    { available: true, name: 'microvm', details, probeMs: 1 },
  ];
  const facts = { ...FACTS, kvm };
  t.is(withGuestBoot(facts, []), facts);
  t.true(withGuestBoot(facts, probed({ accelerator: 'kvm' })).kvm?.guestBoots);
  const died = withGuestBoot(facts, probed({ accelerator: 'tcg', 'kvm-unused': 'it died' })).kvm;
  t.deepEqual(died, { ...kvm, guestBoots: false, reason: 'it died' });
  t.deepEqual(readKvmFact(await makeFactTree(t, {})), { isAccessible: false });
});

test('DeviceFacts takes those of an agent that tells no more than older ones did', (t) => {
  t.deepEqual(DeviceFacts.parse(FACTS), FACTS);
});
