import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { Cgroups } from '../../../agent/sandboxes/cgroup.ts';

const LIMITS = { memoryMib: 64, cpus: 1 };

/** A folder tree that looks like a version 2 hierarchy, as far as plain files can. */
async function fakeV2(t: ExecutionContext, controllers: string): Promise<string> {
  const mount = await mkdtemp(join(tmpdir(), 'lockstep-cgroup-'));
  t.teardown(async () => rm(mount, { recursive: true, force: true }));
  await writeFile(join(mount, 'cgroup.controllers'), `${controllers}\n`);
  for (const folder of ['', 'lockstep', 'lockstep/d1', 'lockstep/d1/s0']) {
    await mkdir(join(mount, folder), { recursive: true });
    await writeFile(join(mount, folder, 'cgroup.subtree_control'), '');
  }
  for (const file of ['cpu.max', 'memory.max', 'pids.max']) {
    await writeFile(join(mount, 'lockstep/d1/s0', file), '');
  }
  return mount;
}

function open(mount: string): Promise<Cgroups> {
  return Cgroups.open({
    cgroupName: 'd1',
    mountinfo: `30 24 0:26 / ${mount} rw - cgroup2 cgroup2 rw\n`,
    selfCgroup: '0::/\n',
  });
}

test('Cgroups enables the controllers of version 2 on the way down', async (t) => {
  const mount = await fakeV2(t, 'cpuset cpu io memory pids');
  const cgroups = await open(mount);
  t.is(cgroups.mode, 'v2');
  t.is(cgroups.reason, undefined);
  for (const folder of ['', 'lockstep', 'lockstep/d1']) {
    const text = await readFile(join(mount, folder, 'cgroup.subtree_control'), 'utf8');
    t.is(text, '+cpu +memory +pids +io');
  }
});

test('Cgroups writes the limits of version 2 and lives without swap.max', async (t) => {
  const mount = await fakeV2(t, 'cpu memory pids');
  const cgroups = await open(mount);
  await cgroups.create('s0', LIMITS);
  t.is(await readFile(join(mount, 'lockstep/d1/s0/memory.max'), 'utf8'), '67108864');
  t.false(existsSync(join(mount, 'lockstep/d1/s0/memory.swap.max')));
  t.deepEqual(cgroups.joinFiles('s0'), [join(mount, 'lockstep/d1/s0/cgroup.procs')]);
});

test('Cgroups tells the one folder of all controllers of version 2', async (t) => {
  const mount = await fakeV2(t, 'cpu io memory pids');
  const folder = join(mount, 'lockstep/d1/s7');
  t.deepEqual((await open(mount)).foldersOf('s7'), {
    mode: 'v2',
    cpu: folder,
    cpuacct: folder,
    memory: folder,
    io: folder,
    pids: folder,
    processes: folder,
  });
});

test('Cgroups leaves out the folders of controllers that are off, and says so', async (t) => {
  const mount = await fakeV2(t, 'cpu pids');
  const folders = (await open(mount)).foldersOf('s0');
  t.is(folders.memory, undefined);
  t.is(folders.io, undefined);
  t.truthy(folders.cpuacct);
  t.regex(folders.reason ?? '', /no memory controller/);
});

test('Cgroups reads what was used on version 2', async (t) => {
  const mount = await fakeV2(t, 'cpu memory pids');
  const group = join(mount, 'lockstep/d1/s0');
  await writeFile(join(group, 'memory.current'), '1000\n');
  await writeFile(join(group, 'memory.peak'), '2000\n');
  await writeFile(join(group, 'cpu.stat'), 'usage_usec 1234\nuser_usec 1000\n');
  const cgroups = await open(mount);
  t.deepEqual(cgroups.readUsage('s0'), {
    memoryBytes: 1000,
    memoryPeakBytes: 2000,
    cpuNs: 1_234_000n,
  });
});

test('Cgroups says why memory is absent where the controller is off', async (t) => {
  const mount = await fakeV2(t, 'cpu pids');
  await writeFile(join(mount, 'lockstep/d1/s0/cpu.stat'), 'usage_usec 5\n');
  const cgroups = await open(mount);
  t.regex(cgroups.reason ?? '', /memory.*cgroup_enable=memory/);
  const usage = cgroups.readUsage('s0');
  t.is(usage.memoryBytes, undefined);
  t.is(usage.cpuNs, 5000n);
  t.regex(usage.unavailable ?? '', /the memory controller is off/);
});

test('Cgroups does nothing and says why where there are none', async (t) => {
  const cgroups = await Cgroups.open({ cgroupName: 'd1', mountinfo: '', selfCgroup: '' });
  t.is(cgroups.mode, 'none');
  await cgroups.create('s0', LIMITS);
  t.deepEqual(cgroups.joinFiles('s0'), []);
  t.is(cgroups.ociPath('s0'), undefined);
  t.deepEqual(cgroups.readUsage('s0'), { unavailable: 'no cgroup file system is mounted' });
  t.deepEqual(await cgroups.removeAll(), []);
});

test('Cgroups removes what an agent that crashed has left, with its processes', async (t) => {
  const cgroupName = `test-${process.pid}`;
  const crashed = await Cgroups.open({ cgroupName });
  if (crashed.mode === 'none') {
    t.log(`skipped: ${crashed.reason ?? ''}`);
    t.pass();
    return;
  }
  await crashed.create('s0', LIMITS);
  const script = 'for f in "$@"; do echo $$ >"$f" || exit 1; done; sleep 600 & echo up; wait';
  const child = spawn('/bin/sh', ['-c', script, 'sh', ...crashed.joinFiles('s0')], {
    stdio: ['ignore', 'pipe', 'inherit'],
    detached: true,
  });
  t.teardown(() => child.kill('SIGKILL'));
  const ended = once(child, 'exit');
  await once(child.stdout, 'data');
  t.is(crashed.processIds('s0').length, 2);
  // What a runtime makes below the sandbox's own group.
  for (const file of crashed.joinFiles('s0')) await mkdir(join(file, '..', 'inner'));

  const next = await Cgroups.open({ cgroupName });
  t.deepEqual(await next.removeAll(), []);
  t.deepEqual(await ended, [null, 'SIGKILL']);
  for (const file of crashed.joinFiles('s0')) {
    t.false(existsSync(join(file, '..', '..')), `${file} is left`);
  }
});
