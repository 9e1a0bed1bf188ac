import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import type { HostCollector } from '../../../agent/collectors/collector.ts';
import { hostCpu } from '../../../agent/collectors/host-cpu.ts';
import { hostDisk } from '../../../agent/collectors/host-disk.ts';
import { hostMemory } from '../../../agent/collectors/host-memory.ts';
import { hostNetwork } from '../../../agent/collectors/host-network.ts';
import { hostPressure } from '../../../agent/collectors/host-pressure.ts';
import { readCaptured } from '../../fixtures/collectors/captured-files.ts';
import { fastSource, layOut, readValues } from './fixture-tree.ts';

const V1 = 'linux-6.18-v1.captured';
const V2 = 'linux-6.1-v2.captured';
const PI = 'raspberry-pi-5-16k.composed';

function readFixture(
  t: ExecutionContext,
  collector: HostCollector,
  name: string,
): Record<string, number> | string {
  return readValues(fastSource(t, collector.open(layOut(t, readCaptured(name)).roots)));
}

test('hostCpu reads modes, processors, switches and running tasks', (t) => {
  t.deepEqual(readFixture(t, hostCpu, PI), {
    'system.cpu.time user': 101.32,
    'system.cpu.time nice': 2,
    'system.cpu.time system': 30.41,
    'system.cpu.time idle': 8842.1,
    'system.cpu.time iowait': 12,
    'system.cpu.time interrupt': 4.5,
    'system.cpu.time steal': 0,
    'lockstep.host.context_switches': 2_201_145,
    'lockstep.host.runnable': 3,
    'lockstep.host.cpu.busy.time 0': (2533 + 50 + 760 + 400) / 100,
    'lockstep.host.cpu.busy.time 1': (2533 + 50 + 760 + 50) / 100,
    'lockstep.host.cpu.busy.time 2': (2533 + 50 + 760) / 100,
    'lockstep.host.cpu.busy.time 3': (2533 + 50 + 761) / 100,
  });
});

test('hostCpu takes the time of guests out of user and nice', (t) => {
  const { roots } = layOut(t, readCaptured(V2));
  writeFileSync(
    join(roots.proc, 'stat'),
    'cpu  100 50 1 2 3 4 5 6 70 30\ncpu0 1 1 1 1 1 1 1 1 0 0\n',
  );
  const values = readValues(fastSource(t, hostCpu.open(roots)));
  t.like(values, { 'system.cpu.time user': 0.3, 'system.cpu.time nice': 0.2 });
  t.is((values as Record<string, number>)['lockstep.host.runnable'], Number.NaN);
});

test('hostCpu keeps a counter that the kernel lets step back', (t) => {
  const { roots } = layOut(t, readCaptured(V2));
  const source = fastSource(t, hostCpu.open(roots));
  const idleAfter = (idle: number): unknown => {
    const line = `0 0 0 ${idle} 0 0 0 0 0 0`;
    writeFileSync(join(roots.proc, 'stat'), `cpu  ${line}\ncpu0 ${line}\nprocs_running 1\n`);
    return (readValues(source) as Record<string, number>)['system.cpu.time idle'];
  };
  t.deepEqual([idleAfter(200), idleAfter(190), idleAfter(210)], [2, 2, 2.1]);
});

test('hostMemory tells states that add up to all memory', (t) => {
  const kib = 1024;
  t.deepEqual(readFixture(t, hostMemory, PI), {
    'system.memory.usage used': (8_255_968 - 7_012_352 - 65_536 - 688_128) * kib,
    'system.memory.usage free': 7_012_352 * kib,
    'system.memory.usage buffers': 65_536 * kib,
    'system.memory.usage cached': 688_128 * kib,
    'system.memory.linux.available': 7_530_496 * kib,
  });
});

test('hostDisk reads whole disks that have a device', (t) => {
  t.deepEqual(readFixture(t, hostDisk, PI), {
    'system.disk.io mmcblk0 read': 1_310_720 * 512,
    'system.disk.io mmcblk0 write': 262_144 * 512,
    'system.disk.operations mmcblk0 read': 18_402,
    'system.disk.operations mmcblk0 write': 5120,
    'system.disk.io_time mmcblk0': 48.2,
  });
});

test('hostDisk reads the files of a few disks, each by itself', (t) => {
  const figures = '  18402 1 1310720 900 5120 2 262144 700 0 48200 1600\n';
  const { roots } = layOut(
    t,
    new Map([
      ['sys/block/sda/device', Buffer.of()],
      ['sys/block/sda/stat', Buffer.from(figures)],
      ['sys/block/sdb/device', Buffer.of()],
      ['sys/block/sdb/stat', Buffer.from(figures.replace('18402', '7'))],
    ]),
  );
  const source = fastSource(t, hostDisk.open(roots));
  const values = readValues(source);
  t.like(values, {
    'system.disk.io sda read': 1_310_720 * 512,
    'system.disk.io sda write': 262_144 * 512,
    'system.disk.operations sda read': 18_402,
    'system.disk.operations sda write': 5120,
    'system.disk.io_time sda': 48.2,
    'system.disk.operations sdb read': 7,
  });
  // A cut text gives no value for what it cut.
  writeFileSync(join(roots.sys, 'block/sda/stat'), '  18402 1 13107');
  const cut = readValues(source) as Record<string, number>;
  t.is(cut['system.disk.operations sda read'], 18_402);
  t.true(!('system.disk.io sda read' in cut) || Number.isNaN(cut['system.disk.io sda read']));
  t.is(cut['system.disk.operations sdb read'], 7);
});

test('hostNetwork reads all interfaces but loopback', (t) => {
  t.deepEqual(readFixture(t, hostNetwork, PI), {
    'system.network.io eth0 receive': 91_822_011,
    'system.network.io eth0 transmit': 5_120_333,
    'system.network.packet.count eth0 receive': 80_122,
    'system.network.packet.count eth0 transmit': 41_022,
    'system.network.packet.dropped eth0 receive': 12,
    'system.network.packet.dropped eth0 transmit': 2,
    'system.network.errors eth0 receive': 3,
    'system.network.errors eth0 transmit': 1,
    'system.network.io wlan0 receive': 0,
    'system.network.io wlan0 transmit': 0,
    'system.network.packet.count wlan0 receive': 0,
    'system.network.packet.count wlan0 transmit': 0,
    'system.network.packet.dropped wlan0 receive': 0,
    'system.network.packet.dropped wlan0 transmit': 0,
    'system.network.errors wlan0 receive': 0,
    'system.network.errors wlan0 transmit': 0,
  });
});

test('hostNetwork tells NaN for an interface that is gone, and nothing of a later one', (t) => {
  const { roots } = layOut(t, readCaptured(PI));
  const source = fastSource(t, hostNetwork.open(roots));
  writeFileSync(join(roots.proc, 'net/dev'), ` eth0:5 1 0 0 0 0 0 0 7 1 0 0 0 0 0 0\n usb0: 1 1\n`);
  const values = readValues(source) as Record<string, number>;
  t.is(values['system.network.io eth0 receive'], 5);
  t.is(values['system.network.io eth0 transmit'], 7);
  t.is(values['system.network.io wlan0 receive'], Number.NaN);
  t.false(Object.keys(values).some((name) => name.includes('usb0')));
});

test('hostNetwork says that loopback is all there is', (t) => {
  const opened = hostNetwork.open(layOut(t, readCaptured(V2)).roots);
  t.true('unavailable' in opened && /no interface but loopback/.test(opened.unavailable));
});

test('hostPressure has no series for what the kernel can not tell', (t) => {
  const values = readFixture(t, hostPressure, V2);
  t.deepEqual(Object.keys(values), [
    'lockstep.host.pressure.time cpu some',
    'lockstep.host.pressure.time memory some',
    'lockstep.host.pressure.time memory full',
    'lockstep.host.pressure.time io some',
    'lockstep.host.pressure.time io full',
  ]);
});

test('hostPressure names the word for the kernel command line where there is none', (t) => {
  const opened = hostPressure.open(layOut(t, readCaptured(PI)).roots);
  t.true('remedy' in opened && opened.remedy.includes('psi=1'));
});

test('the files of a guest and of a machine are read whole', (t) => {
  for (const name of [V1, V2]) {
    for (const collector of [hostCpu, hostMemory, hostDisk, hostPressure]) {
      const { roots } = layOut(t, readCaptured(name));
      // Folders of disks are not among what was captured of the first.
      if (name === V1 && collector === hostDisk) continue;
      const values = readValues(fastSource(t, collector.open(roots)));
      t.true(typeof values === 'object' && Object.values(values).every((one) => one >= 0));
    }
  }
});
