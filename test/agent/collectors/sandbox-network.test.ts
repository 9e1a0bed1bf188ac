import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { SYSTEM_ROOTS } from '../../../agent/collectors/collector.ts';
import type { VmmTarget } from '../../../agent/collectors/collector.ts';
import { sandboxNetwork } from '../../../agent/collectors/sandbox-network.ts';
import { fastSource, layOut, readValues, targetOf } from './fixture-tree.ts';

const VMM: VmmTarget = { vcpus: 1, vcpuThreadPrefix: 'CPU ' };

/** What stands for cgroup.procs, with a process in it that is in a network namespace of its own. */
interface Stage {
  readonly folder: string;
  readonly processId: number;
  readonly put: (ids: readonly number[]) => void;
  readonly run: (...words: string[]) => void;
  readonly end: () => Promise<void>;
}

async function stage(t: ExecutionContext): Promise<Stage | undefined> {
  const script =
    'ip link set lo up; ip link add eth0 type veth peer name peer0 && echo up; sleep 60';
  const child = spawn('unshare', ['--net', '/bin/sh', '-c', `exec 2>&1; ${script}`], {
    stdio: ['ignore', 'pipe', 'ignore'],
    detached: true,
  });
  const processId = child.pid ?? 0;
  const exited = once(child, 'exit');
  const end = async (): Promise<void> => {
    if (child.exitCode === null && child.signalCode === null) process.kill(-processId, 'SIGKILL');
    await exited;
  };
  t.teardown(end);
  const [said] = (await once(child.stdout, 'data')) as [Buffer];
  if (said.toString() !== 'up\n') {
    t.log(`skipped: no network namespace with interfaces can be made: ${said.toString()}`);
    t.pass();
    return undefined;
  }
  const folder = mkdtempSync(join(tmpdir(), 'lockstep-network-'));
  t.teardown(() => {
    rmSync(folder, { recursive: true });
  });
  const put = (ids: readonly number[]): void => {
    writeFileSync(join(folder, 'cgroup.procs'), ids.map((id) => `${id}\n`).join(''));
  };
  const run = (...words: string[]): void => {
    execFileSync('nsenter', [`--net=/proc/${processId}/ns/net`, '--', ...words]);
  };
  return { folder, processId, put, run, end };
}

test('sandboxNetwork is absent until a process has the interface, then moves with it', async (t) => {
  const place = await stage(t);
  if (place === undefined) return;
  const target = targetOf({ mode: 'v2', processes: place.folder }, { networkInterface: 'eth0' });
  const source = fastSource(t, sandboxNetwork.open(target, SYSTEM_ROOTS));
  t.is(readValues(source), 'absent');
  // This process is in the device's own namespace, where an eth0 may be as well.
  place.put([process.pid]);
  t.is(readValues(source), 'absent');
  place.put([process.pid, place.processId]);
  const before = readValues(source) as Record<string, number>;
  t.is(before['container.network.io transmit'], 0);
  place.run('ip', 'link', 'set', 'eth0', 'up');
  place.run('ip', 'link', 'set', 'peer0', 'up');
  place.run('ip', 'address', 'add', '10.99.0.1/24', 'dev', 'eth0');
  place.run('ip', 'neigh', 'add', '10.99.0.7', 'lladdr', '02:00:00:00:00:07', 'dev', 'eth0');
  place.run('/bin/bash', '-c', 'echo 0123456789 >/dev/udp/10.99.0.7/9');
  const after = readValues(source) as Record<string, number>;
  t.true(after['container.network.io transmit']! > 0);
  t.true(after['lockstep.sandbox.network.packets transmit']! >= 1);
  t.is(after['lockstep.sandbox.network.dropped receive'], 0);
  // The last figures outlive the processes, as the descriptor keeps the namespace.
  await place.end();
  const last = readValues(source) as Record<string, number>;
  t.true(last['container.network.io transmit']! >= after['container.network.io transmit']!);
});

test('sandboxNetwork sees the tap of a virtual machine from the other end', (t) => {
  const table = ' t0: 100 1 0 3 0 0 0 0 250 2 0 4 0 0 0 0\n';
  const { folder, roots } = layOut(
    t,
    new Map([
      ['proc/77/net/dev', Buffer.from(table)],
      ['group/cgroup.procs', Buffer.from('77\n')],
    ]),
  );
  const cgroup = { mode: 'v2', processes: join(folder, 'group') } as const;
  const target = targetOf(cgroup, { networkInterface: 't0', vmm: VMM });
  t.deepEqual(readValues(fastSource(t, sandboxNetwork.open(target, roots))), {
    'container.network.io receive': 250,
    'container.network.io transmit': 100,
    'lockstep.sandbox.network.packets receive': 2,
    'lockstep.sandbox.network.packets transmit': 1,
    'lockstep.sandbox.network.dropped receive': 4,
    'lockstep.sandbox.network.dropped transmit': 3,
  });
});

test('sandboxNetwork says what is missing without an interface or a group', (t) => {
  const { roots } = layOut(t, new Map());
  const none = sandboxNetwork.open(targetOf({ mode: 'v2', processes: '/x' }), roots);
  t.true('unavailable' in none && /no interface/.test(none.unavailable));
  const target = targetOf(
    { mode: 'none', reason: 'nothing is mounted' },
    { networkInterface: 'e' },
  );
  const groupless = sandboxNetwork.open(target, roots);
  t.true('unavailable' in groupless && /nothing is mounted/.test(groupless.unavailable));
});
