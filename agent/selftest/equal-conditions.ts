import assert from 'node:assert/strict';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { CPU_PERIOD_USEC, PROCESSES_MAX } from '../sandboxes/cgroup-layout.ts';
import type { CgroupFolders } from '../collectors/collector.ts';
import { LIMITS, awaitReady } from './stage.ts';
import type { Check } from './stage.ts';

const MEMORY = String(LIMITS.memoryMib * 1024 * 1024);

/** The same limits for every kind but machines, which need memory beside their guest's. */
export const LIMIT_CHECKS: Record<string, Check> = {
  'has the limits that every other kind has': async (stage) => {
    await stage.withActor(stage.setUp.hello, async (actor) => {
      actor.sandbox.start();
      await awaitReady(actor);
      const { cgroup } = actor.sandbox.target();
      if (cgroup.mode === 'none') return;
      assert.deepEqual(cgroup.mode === 'v1' ? limitsV1(cgroup) : limitsV2(cgroup), {
        memory: MEMORY,
        // Nothing of it may be swapped out.
        swap: cgroup.mode === 'v1' ? MEMORY : '0',
        processors: LIMITS.cpus,
        processes: String(PROCESSES_MAX),
      });
      const ids = actor.sandbox.processIds();
      for (const controller of ['cpu', 'memory', 'pids'] as const) {
        const inGroup = processesBelow(cgroup[controller] ?? '');
        const outside = ids.filter((id) => !inGroup.includes(id));
        assert.deepEqual(outside, [], `processes that no limit of ${controller} holds`);
      }
    });
  },
};

/** What containers have in common beside their limits. */
export const CONTAINER_CHECKS: Record<string, Check> = {
  'gives the function no right, and no file to write but in /tmp': async (stage) => {
    await stage.withActor(stage.setUp.hello, async (actor) => {
      actor.sandbox.start();
      await awaitReady(actor);
      const id = firstProcess(actor.sandbox.processIds());
      const status = readFileSync(`/proc/${id}/status`, 'utf8');
      const field = (name: string): string =>
        new RegExp(`^${name}:\\s*(\\S+)$`, 'm').exec(status)?.[1] ?? 'absent';
      for (const set of ['CapEff', 'CapPrm', 'CapInh', 'CapBnd', 'CapAmb']) {
        assert.equal(field(set), '0000000000000000', set);
      }
      assert.equal(field('NoNewPrivs'), '1');
      const mounts = readMounts(id);
      assert.ok(mounts.get('/')?.options.includes('ro'), 'its root can be written');
      assert.equal(mounts.get('/tmp')?.type, 'tmpfs');
      assert.ok(mounts.get('/tmp')?.options.includes('rw'));
    });
  },
};

/** Ids of the processes in a cgroup and below. */
export function processesBelow(folder: string): number[] {
  const folders = ['', ...readdirSync(folder, { recursive: true, encoding: 'utf8' })];
  return folders
    .map((name) => join(folder, name, 'cgroup.procs'))
    .filter((file) => existsSync(file))
    .flatMap((file) => readFileSync(file, 'utf8').split('\n').filter(Boolean).map(Number));
}

interface Limits {
  readonly memory: string;
  readonly swap: string;
  readonly processors: number;
  readonly processes: string;
}

function limitsV1(cgroup: CgroupFolders): Limits {
  const { cpu, memory, pids } = cgroup;
  const swapFile = 'memory.memsw.limit_in_bytes';
  return {
    memory: read(memory, 'memory.limit_in_bytes'),
    // Not every kernel counts swap.
    swap: existsSync(join(memory ?? '', swapFile)) ? read(memory, swapFile) : MEMORY,
    processors: Number(read(cpu, 'cpu.cfs_quota_us')) / Number(read(cpu, 'cpu.cfs_period_us')),
    processes: read(pids, 'pids.max'),
  };
}

function limitsV2(cgroup: CgroupFolders): Limits {
  const { cpu, memory, pids } = cgroup;
  const [quotaUsec = '', periodUsec = String(CPU_PERIOD_USEC)] = read(cpu, 'cpu.max').split(' ');
  return {
    memory: read(memory, 'memory.max'),
    swap: existsSync(join(memory ?? '', 'memory.swap.max')) ? read(memory, 'memory.swap.max') : '0',
    processors: Number(quotaUsec) / Number(periodUsec),
    processes: read(pids, 'pids.max'),
  };
}

function read(folder: string | undefined, file: string): string {
  assert.ok(folder !== undefined, `no controller for ${file}`);
  return readFileSync(join(folder, file), 'utf8').trim();
}

/** The process that is the first of a pid namespace of its own; source: proc_pid_status(5). */
function firstProcess(ids: readonly number[]): number {
  const first = ids.filter((id) =>
    /^NSpid:(?:\s+\d+)+\s+1$/m.test(readFileSync(`/proc/${id}/status`, 'utf8')),
  );
  const [only, ...more] = first;
  assert.ok(only !== undefined && more.length === 0, `first processes: ${first.join(', ')}`);
  return only;
}

/** Type and options of what is mounted last on each path; source: proc_pid_mountinfo(5). */
function readMounts(id: number): Map<string, { type: string; options: string[] }> {
  const lines = readFileSync(`/proc/${id}/mountinfo`, 'utf8').trim().split('\n');
  return new Map(
    lines.map((line) => {
      const [left = '', right = ''] = line.split(' - ', 2);
      const fields = left.split(' ');
      const mount = { type: right.split(' ')[0] ?? '', options: (fields[5] ?? '').split(',') };
      return [fields[4] ?? '', mount];
    }),
  );
}
