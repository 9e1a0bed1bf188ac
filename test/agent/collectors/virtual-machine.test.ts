// What is told of virtual machines, by real ones: guests that are a boot sector.
import { setTimeout as delay } from 'node:timers/promises';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { SYSTEM_ROOTS } from '../../../agent/collectors/collector.ts';
import type { FastSource, Reading, SlowSource } from '../../../agent/collectors/collector.ts';
import { guestExits } from '../../../agent/collectors/guest-exits.ts';
import { kvm } from '../../../agent/collectors/kvm.ts';
import { readKvmModules } from '../../../agent/collectors/kvm-modules.ts';
import { vmmThreads } from '../../../agent/collectors/vmm-threads.ts';
import type { Accelerator } from '../../../agent/sandboxes/qemu-words.ts';
import { startGuest, whyNoGuest } from './boot-sector-guest.ts';
import type { Guest } from './boot-sector-guest.ts';
import { fast, slow } from './opened.ts';

const WAIT_MS = 20_000;
const guests: Partial<Record<Accelerator, Guest>> = {};
const missing: Partial<Record<Accelerator, string>> = {};

test.before('guests run', async () => {
  for (const accelerator of ['kvm', 'tcg'] as const) {
    const reason = await whyNoGuest(accelerator);
    if (reason === undefined) guests[accelerator] = await startGuest(accelerator);
    else missing[accelerator] = reason;
  }
});

test.after.always('guests end', async () => {
  for (const guest of Object.values(guests)) await guest.remove();
});

/** The guest, or undefined after the log has said why there is none. */
function guestOf(t: ExecutionContext, accelerator: Accelerator): Guest | undefined {
  const guest = guests[accelerator];
  if (guest === undefined) {
    t.log(`skipped: ${missing[accelerator] ?? ''}`);
    t.pass();
  }
  return guest;
}

function valueOf(readings: readonly Reading[], stat: string, thread?: string): number | undefined {
  return readings.find(
    ({ attributes }) =>
      attributes?.['lockstep.stat'] === stat && attributes['lockstep.thread'] === thread,
  )?.value;
}

/** Reads until the readings are as wanted. */
async function readUntil(
  source: SlowSource,
  isWanted: (readings: readonly Reading[]) => boolean,
): Promise<readonly Reading[]> {
  const giveUpAtMs = performance.now() + WAIT_MS;
  for (;;) {
    const readings = await source.read();
    if (typeof readings !== 'string' && isWanted(readings)) return readings;
    if (performance.now() > giveUpAtMs) throw new Error(`still ${JSON.stringify(readings)}`);
    await delay(50);
  }
}

/** Reads rows until one is as wanted. */
async function readRow(
  source: FastSource,
  isWanted: (row: Float64Array) => boolean,
): Promise<Float64Array> {
  const row = new Float64Array(source.series.length);
  const giveUpAtMs = performance.now() + WAIT_MS;
  for (;;) {
    const outcome = source.read(row);
    if (outcome === 'read' && isWanted(row)) return row.slice();
    if (performance.now() > giveUpAtMs) throw new Error(`still ${outcome} ${row.join(' ')}`);
    await delay(20);
  }
}

test.serial('kvm counts what a guest does, by the names and units of KVM', async (t) => {
  const guest = guestOf(t, 'kvm');
  if (guest === undefined) return;
  const source = slow(kvm.open(guest.target, SYSTEM_ROOTS));
  try {
    const first = await readUntil(
      source,
      (readings) => (valueOf(readings, 'exits', 'vcpu-0') ?? 0) > 0,
    );
    const exits = valueOf(first, 'exits', 'vcpu-0')!;
    const halted = valueOf(first, 'halt_wait_ns', 'vcpu-1')!;
    const later = await readUntil(
      source,
      (readings) =>
        valueOf(readings, 'exits', 'vcpu-0')! > exits &&
        valueOf(readings, 'halt_wait_ns', 'vcpu-1')! > halted,
    );
    // The second processor of a PC waits for ever, unless it is woken up: less than the test takes.
    t.true(valueOf(later, 'halt_wait_ns', 'vcpu-1')! < 300);
    t.is(typeof valueOf(later, 'remote_tlb_flush'), 'number');
    t.is(valueOf(later, 'remote_tlb_flush', 'vcpu-0'), undefined);
    const metrics = new Set(later.map(({ metric }) => metric));
    t.deepEqual([...metrics].sort(), [
      'lockstep.kvm.count',
      'lockstep.kvm.level',
      'lockstep.kvm.time',
    ]);
    t.true(source.limit.hz <= 10);
    t.log(`${later.length} series, modules: ${readKvmModules().join(' ')}`);
  } finally {
    await source.close();
  }
});

test.serial('kvm says that a translated guest has no counters, and why', (t) => {
  const guest = guestOf(t, 'tcg');
  if (guest === undefined) return;
  t.deepEqual(kvm.open(guest.target, SYSTEM_ROOTS), { unavailable: 'the guest is translated' });
  t.deepEqual(guestExits.open(guest.target, SYSTEM_ROOTS), {
    unavailable: 'the guest is translated',
  });
});

test.serial('guest-exits tells the time in the guest, or which module does not', async (t) => {
  const guest = guestOf(t, 'kvm');
  if (guest === undefined) return;
  const source = guestExits.open(guest.target, SYSTEM_ROOTS);
  if ('unavailable' in source) {
    t.regex(source.unavailable, /^with kvm_pvm /);
    return;
  }
  const opened = fast(source);
  try {
    const row = await readRow(opened, ([seconds]) => seconds! > 0);
    t.true(row[0]! < 300);
  } finally {
    opened.close();
  }
});

for (const accelerator of ['kvm', 'tcg'] as const) {
  test.serial(`vmm-threads tells vCPUs and other threads apart under ${accelerator}`, async (t) => {
    const guest = guestOf(t, accelerator);
    if (guest === undefined) return;
    const source = fast(vmmThreads.open(guest.target, SYSTEM_ROOTS));
    try {
      const names = source.series.map(
        ({ metric, attributes }) =>
          `${attributes?.['lockstep.thread'] ?? ''} ${metric.split('.').at(-2) ?? ''}`,
      );
      t.deepEqual(names, [
        'vcpu-0 run',
        'vcpu-0 wait',
        'vcpu-1 run',
        'vcpu-1 wait',
        'vmm run',
        'vmm wait',
      ]);
      const before = await readRow(source, (row) => !row.includes(Number.NaN));
      // The first vCPU works all the time; the second only ran its start.
      const after = await readRow(source, (row) => row[0]! > before[0]! + 0.003);
      t.true(after[0]! - before[0]! > after[2]! - before[2]!);
      after.forEach((value, place) => {
        t.true(value >= before[place]!, `${names[place]!} fell`);
      });
    } finally {
      source.close();
    }
    t.is(source.read(new Float64Array(source.series.length)), 'ended');
  });
}

test.serial('kvm and vmm-threads end with the guest', async (t) => {
  const guest = guestOf(t, 'kvm');
  if (guest === undefined) return;
  const counters = slow(kvm.open(guest.target, SYSTEM_ROOTS));
  const threads = fast(vmmThreads.open(guest.target, SYSTEM_ROOTS));
  try {
    await readUntil(counters, (readings) => readings.length > 0);
    const row = await readRow(threads, (values) => !values.includes(Number.NaN));
    await guest.end();
    t.is(await counters.read(), 'ended');
    t.is(await counters.read(), 'ended');
    t.is(threads.read(row), 'ended');
    t.true(row.every((value) => Number.isNaN(value)));
  } finally {
    await counters.close();
    threads.close();
  }
});

test('kvm and vmm-threads are absent as long as nothing has started', async (t) => {
  const target = {
    index: 0,
    id: 'none',
    cgroup: { mode: 'v1', processes: '/nowhere' },
    vmm: { vcpus: 1, vcpuThreadPrefix: 'CPU ', qmpSocket: '/nowhere/none.qmp' },
  } as const;
  const counters = slow(kvm.open(target, SYSTEM_ROOTS));
  t.is(await counters.read(), 'absent');
  await counters.close();
  const threads = fast(vmmThreads.open(target, SYSTEM_ROOTS));
  t.is(threads.read(new Float64Array(4)), 'absent');
  threads.close();
});

test('kvm, vmm-threads and guest-exits say why a container has none of it', (t) => {
  const target = { index: 0, id: 'c', cgroup: { mode: 'v1', processes: '/nowhere' } } as const;
  for (const collector of [kvm, vmmThreads, guestExits]) {
    const source = collector.open(target, SYSTEM_ROOTS);
    t.true('unavailable' in source && source.unavailable.length > 10);
  }
});
