// The threads are those of this process, some under the names of vCPUs: they end when told to.
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import test from 'ava';
import { SYSTEM_ROOTS } from '../../../agent/collectors/collector.ts';
import type { FastSource, SandboxTarget } from '../../../agent/collectors/collector.ts';
import { vmmThreads } from '../../../agent/collectors/vmm-threads.ts';
import { withFileTree } from './file-tree.ts';
import { fast } from './opened.ts';

async function startThread(name: string): Promise<Worker> {
  const worker = new Worker(new URL('named-thread.ts', import.meta.url), { workerData: { name } });
  await once(worker, 'message');
  return worker;
}

async function work(worker: Worker, workMs: number): Promise<void> {
  worker.postMessage(workMs);
  await once(worker, 'message');
}

function targetOf(processes: string, vcpus: number): SandboxTarget {
  const vmm = { vcpus, vcpuThreadPrefix: 'fc_vcpu ' };
  return { index: 0, id: 's0', cgroup: { mode: 'v2', processes }, vmm };
}

async function readFor(source: FastSource, ms: number): Promise<Float64Array> {
  const row = new Float64Array(source.series.length);
  const endMs = performance.now() + ms;
  while (performance.now() < endMs) {
    source.read(row);
    await delay(5);
  }
  return row;
}

test('vmm-threads keeps what ended threads had, and finds vCPUs that come one by one', async (t) => {
  const workers: Worker[] = [];
  const folder = await mkdtemp(join(tmpdir(), 'lockstep-threads-'));
  try {
    await writeFile(join(folder, 'cgroup.procs'), `0\n${process.pid}\n`);
    const source = fast(vmmThreads.open(targetOf(folder, 2), SYSTEM_ROOTS));
    const row = new Float64Array(source.series.length);
    t.is(source.read(row), 'absent');
    workers.push(await startThread('fc_vcpu 1'));
    await work(workers[0]!, 20);
    // As long as a vCPU is missing, nobody knows what the other threads are.
    const [run0, , run1, , others] = await readFor(source, 50);
    t.deepEqual([run0, others], [Number.NaN, Number.NaN]);
    t.true(run1! >= 0.015);
    workers.push(await startThread('fc_vcpu 0'), await startThread('worker'));
    await work(workers[2]!, 80);
    const before = await readFor(source, 250);
    t.false(before.includes(Number.NaN));
    t.true(before[4]! >= 0.07);
    await workers[2]!.terminate();
    const after = await readFor(source, 250);
    t.true(after[4]! >= before[4]!, 'the sum fell when a thread ended');
    t.true(after[5]! >= before[5]!);
    await workers[1]!.terminate();
    const last = await readFor(source, 50);
    t.deepEqual([last[0], last[1]], [Number.NaN, Number.NaN]);
    t.true(last[2]! >= before[2]!);
    source.close();
  } finally {
    await Promise.all(workers.map((worker) => worker.terminate()));
    await rm(folder, { recursive: true });
  }
});

test('vmm-threads says that a kernel keeps no such times', async (t) => {
  await withFileTree({ 'proc/self/stat': '' }, (roots) => {
    const source = vmmThreads.open(targetOf('/nowhere', 1), roots);
    t.true('unavailable' in source && source.remedy === 'a kernel with CONFIG_SCHED_INFO');
  });
});

test('vmm-threads needs to know the processes', (t) => {
  const { vmm } = targetOf('', 1);
  const cgroup = { mode: 'none', reason: 'no cgroup file system is mounted' } as const;
  const target = { index: 0, id: 's0', cgroup, ...(vmm === undefined ? {} : { vmm }) };
  t.deepEqual(vmmThreads.open(target, SYSTEM_ROOTS), {
    unavailable: 'the processes of the sandbox are not known: no cgroup file system is mounted',
  });
});
