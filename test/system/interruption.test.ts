import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import test from 'ava';
import { RunFolder } from '../../coordinator/recording/run-folder.ts';
import type { Run } from '../../schemas/run.ts';
import { cgroupNameOf } from '../../agent/cgroup-name.ts';
import { CHECKOUT } from '../support/nats-server.ts';
import { hasFunctions, onlyHelloGo, TestHome } from '../support/stack.ts';

const LONG = join(CHECKOUT, 'test/system/long.yaml');
const WAIT_MS = 60_000;

async function until(what: string, isSo: () => Promise<boolean>): Promise<void> {
  const giveUpAtMs = performance.now() + WAIT_MS;
  while (!(await isSo())) {
    if (performance.now() > giveUpAtMs) throw new Error(`it never came to this: ${what}`);
    await delay(100);
  }
}

async function newestRun(home: TestHome): Promise<{ folder: RunFolder; run: Run }> {
  const [runId = ''] = await RunFolder.list(home.folder);
  const folder = RunFolder.of(home.folder, runId);
  return { folder, run: await folder.readRun() };
}

async function resultCount(home: TestHome): Promise<number> {
  const [runId] = await RunFolder.list(home.folder);
  if (runId === undefined) return 0;
  return (await RunFolder.of(home.folder, runId).readResults()).length;
}

async function cgroupsOf(home: TestHome, deviceId: string): Promise<string[]> {
  const found: string[] = [];
  for (const hierarchy of await readdir('/sys/fs/cgroup')) {
    const cgroupName = cgroupNameOf(deviceId, join(home.folder, 'agents', deviceId));
    const folder = join('/sys/fs/cgroup', hierarchy, 'lockstep', cgroupName);
    const names = await readdir(folder, { withFileTypes: true }).catch(() => []);
    for (const name of names) if (name.isDirectory()) found.push(join(folder, name.name));
  }
  return found;
}

test.serial('Ctrl-C during a run keeps what was reported, and says so', async (t) => {
  if (!(await hasFunctions())) {
    t.log('skipped: the functions are not built on this machine');
    t.pass();
    return;
  }
  const home = await TestHome.create(t, await onlyHelloGo(t));
  const running = home.start(
    ...['quickstart', '--agents', '1', '--sandboxes', 'process', '--experiment', LONG],
  );
  await until('three results', async () => (await resultCount(home)) >= 3);
  running.child.kill('SIGINT');
  const { code, stderr } = await running.ended;
  t.is(code, 130, stderr);
  const { folder, run } = await newestRun(home);
  t.is(run.state, 'cancelled');
  t.true((await folder.readResults()).length >= 3);
  t.deepEqual(await home.processIds(), []);
  t.deepEqual(await cgroupsOf(home, 'local-1'), []);
});

test.serial('kill -9 of an agent costs one trial, and of everything ends the run', async (t) => {
  if (!(await hasFunctions())) {
    t.log('skipped: the functions are not built on this machine');
    t.pass();
    return;
  }
  const home = await TestHome.create(t, await onlyHelloGo(t));
  const first = home.start('up', '--agents', '2', '--port', '0', '--sandboxes', 'process');
  await first.shows('ready; end it');
  const submitted = await home.run('run', '--detach', LONG);
  t.is(submitted.code, 0, submitted.stderr);
  await until('four results', async () => (await resultCount(home)) >= 4);

  const agent = await agentProcess(home, 'local-2');
  process.kill(agent, 'SIGKILL');
  const before = await resultCount(home);
  await until('a result of the agent that was started again', async () => {
    const { folder } = await newestRun(home);
    const results = await folder.readResults();
    const later = results.slice(before).filter(({ deviceId }) => deviceId === 'local-2');
    return later.filter(({ status }) => status === 'ok').length >= 2;
  });
  const { folder } = await newestRun(home);
  const failed = (await folder.readResults()).filter(({ status }) => status === 'failed');
  // On a busy machine a go may come too late, whoever was killed.
  const byKill = failed.filter(({ failure }) => failure?.code !== 'START_LATE');
  const seen = failed.map(({ deviceId, trialId, failure }) => ({ deviceId, trialId, failure }));
  t.true(byKill.length <= 2, `more than the trial that was going: ${JSON.stringify(seen)}`);
  for (const { failure } of byKill) {
    const isExpected = ['DEVICE_LOST', 'GANG_INCOMPLETE'].includes(failure?.code ?? '');
    t.true(isExpected, JSON.stringify(seen));
  }

  const kept = await resultCount(home);
  for (const processId of await home.processIds()) {
    try {
      process.kill(processId, 'SIGKILL');
    } catch {
      // It ended with its parent.
    }
  }
  await until('everything is gone', async () => (await home.processIds()).length === 0);
  t.true((await resultCount(home)) >= kept, 'what was reported is kept');

  const second = home.start('up', '--agents', '2', '--port', '0', '--sandboxes', 'process');
  await second.shows('ready; end it');
  const { run } = await newestRun(home);
  t.is(run.state, 'interrupted');
  t.is(run.failure?.code, 'COORDINATOR_STOPPED');
  t.deepEqual(await cgroupsOf(home, 'local-1'), []);
  t.deepEqual(await cgroupsOf(home, 'local-2'), []);
  second.child.kill('SIGTERM');
  t.is((await second.ended).code, 0);
  t.deepEqual(await home.processIds(), []);
});

async function agentProcess(home: TestHome, deviceId: string): Promise<number> {
  for (const processId of await home.processIds()) {
    const line = await readFile(`/proc/${processId}/cmdline`, 'utf8').catch(() => '');
    if (line.includes('agent/main.ts') && line.includes(`${deviceId}.creds`)) return processId;
  }
  throw new Error(`no process of ${deviceId}`);
}
