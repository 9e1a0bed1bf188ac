import { execFileSync } from 'node:child_process';
import { setImmediate as turn } from 'node:timers/promises';
import test from 'ava';
import { pino } from 'pino';
import { readChangingFacts, readDeviceFacts } from '../../../agent/facts/device-facts.ts';
import type { ChangingFacts } from '../../../agent/facts/device-facts.ts';
import { updateFacts, watchFacts } from '../../../agent/facts/facts-watch.ts';
import { DeviceFacts } from '../../../schemas/device.ts';
import { Cgroups } from '../../../agent/sandboxes/cgroup.ts';

const CGROUP_NAME = `facts-test-${process.pid}`;
const logger = pino({ level: 'silent' });

function ask(program: string, ...words: string[]): string {
  return execFileSync(program, words, { encoding: 'utf8' }).trim();
}

test('readDeviceFacts agrees with what the system tells in other ways', async (t) => {
  const facts = await readDeviceFacts(CGROUP_NAME, { dataFolder: import.meta.dirname });
  t.teardown(async () => {
    const cgroups = await Cgroups.open({ cgroupName: CGROUP_NAME });
    await cgroups.removeAll();
  });
  t.deepEqual(DeviceFacts.parse(facts), facts);
  t.is(facts.kernelMachine, ask('uname', '-m'));
  t.is(facts.kernel, ask('uname', '-r'));
  t.is(facts.pageSizeBytes, Number(ask('getconf', 'PAGESIZE')));
  t.is(facts.cpuCount, Number(ask('nproc')));
  const type = ask('stat', '--file-system', '--format=%T', import.meta.dirname);
  t.is(facts.disk?.fileSystem?.slice(0, 3), type.slice(0, 3));
  t.true((facts.disk?.freeBytes ?? 0) <= (facts.disk?.sizeBytes ?? 0));
});

test('updateFacts keeps the facts if nothing has changed but a little free space', async (t) => {
  const changing = await readChangingFacts({ dataFolder: import.meta.dirname });
  const facts = factsWith(changing);
  t.is(updateFacts(facts, changing), facts);
  const disk = { sizeBytes: 2 ** 36, freeBytes: 2 ** 34 };
  const withDisk = factsWith({ ...changing, disk });
  const free = (freeBytes: number) => ({ ...changing, disk: { ...disk, freeBytes } });
  t.is(updateFacts(withDisk, free(2 ** 34 - 2 ** 20)), withDisk);
  t.is(updateFacts(withDisk, free(2 ** 33)).disk?.freeBytes, 2 ** 33);
  t.is(
    updateFacts(withDisk, { ...free(2 ** 34), disk: { ...disk, kind: 'usb' } }).disk?.kind,
    'usb',
  );
});

test('updateFacts makes absent what is no longer known, and keeps what does not change', (t) => {
  const facts = factsWith({ cpuCount: 4, memoryBytes: 1, isTurboOn: true, hugePages: 'never' });
  const next = updateFacts(facts, { cpuCount: 3, memoryBytes: 1, hugePages: 'never' });
  t.false('isTurboOn' in next);
  t.is(next.cpuCount, 3);
  t.is(next.hostname, facts.hostname);
});

test('watchFacts tells a change while the device is idle, and nothing while it serves', async (t) => {
  const first: ChangingFacts = { cpuCount: 4, memoryBytes: 1 };
  const told: DeviceFacts[] = [];
  const slept: (() => void)[] = [];
  let now = first;
  let isIdle = true;
  let reads = 0;
  const watch = watchFacts({
    facts: factsWith(first),
    clock: {
      sleep: (_, signal) =>
        new Promise((resolve) => {
          slept.push(resolve);
          signal?.addEventListener('abort', () => {
            resolve();
          });
        }),
    },
    isIdle: () => isIdle,
    read: () => {
      reads += 1;
      return reads === 2 ? Promise.reject(new Error('unreadable')) : Promise.resolve(now);
    },
    onChange: (facts) => told.push(facts),
    logger,
  });
  const pass = async (): Promise<void> => {
    slept.shift()?.();
    await turn();
    await turn();
  };
  await pass();
  t.deepEqual([reads, told.length], [1, 0]);
  now = { ...first, cpuCount: 2 };
  await pass();
  t.deepEqual([reads, told.length], [2, 0], 'a look that fails changes nothing');
  isIdle = false;
  await pass();
  t.is(reads, 2);
  isIdle = true;
  await pass();
  await pass();
  t.deepEqual([reads, told.map(({ cpuCount }) => cpuCount)], [4, [2]]);
  watch.stop();
  await turn();
  t.is(slept.length, 1, 'the wait was given up and no other began');
});

function factsWith(changing: ChangingFacts): DeviceFacts {
  return {
    hostname: 'h',
    machineId: '',
    bootId: '',
    timeNamespace: '',
    architecture: 'x64',
    model: '',
    cpuModel: '',
    kernel: '',
    os: '',
    cgroup: 'none',
    isRoot: false,
    ...changing,
  };
}
