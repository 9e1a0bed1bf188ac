import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { describeProcess } from '../../../provisioning/bootstrap/process-identity.mjs';
import { takeSetupLock } from '../../../provisioning/bootstrap/setup-lock.mjs';

async function withFolder(run: (folder: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'lockstep-test-'));
  try {
    await run(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

test('takeSetupLock lets one at a time in, and leaves nothing behind', async (t) => {
  await withFolder(async (folder) => {
    const path = join(folder, 'setup.lock');
    let holders = 0;
    let holdersMax = 0;
    await Promise.all(
      [1, 2, 3].map(async () => {
        const release = await takeSetupLock(path);
        holders += 1;
        holdersMax = Math.max(holdersMax, holders);
        await new Promise(setImmediate);
        holders -= 1;
        release();
      }),
    );
    t.is(holdersMax, 1);
    t.deepEqual(await readdir(folder), []);
  });
});

test('takeSetupLock says whom it waits for, and gives up at its deadline', async (t) => {
  await withFolder(async (folder) => {
    const path = join(folder, 'setup.lock');
    const release = await takeSetupLock(path);
    const pids: number[] = [];
    const options = { onWait: (pid: number) => pids.push(pid), waitMsMax: 1 };
    await t.throwsAsync(takeSetupLock(path, options), { name: 'SetupError', message: /holds/ });
    t.deepEqual(pids, [process.pid]);
    release();
  });
});

test('takeSetupLock takes over from a process that has ended', async (t) => {
  await withFolder(async (folder) => {
    const path = join(folder, 'setup.lock');
    const child = spawn(process.execPath, ['--eval', 'setTimeout(() => {}, 60000)']);
    await once(child, 'spawn');
    await writeFile(path, JSON.stringify(describeProcess(child.pid ?? 0)));
    const ended = once(child, 'exit');
    child.kill('SIGKILL');
    await ended;
    const release = await takeSetupLock(path, { waitMsMax: 1 });
    t.is((JSON.parse(await readFile(path, 'utf8')) as { pid: number }).pid, process.pid);
    release();
    t.deepEqual(await readdir(folder), []);
  });
});

const dead = test.macro(async (t, content: string) => {
  await withFolder(async (folder) => {
    const path = join(folder, 'setup.lock');
    await writeFile(path, content);
    (await takeSetupLock(path, { waitMsMax: 1 }))();
    t.deepEqual(await readdir(folder), []);
  });
});

const self = describeProcess(process.pid);
test(
  'takeSetupLock takes over from an earlier process with the same number',
  dead,
  JSON.stringify({ ...self, startTicks: '1' }),
);
test(
  'takeSetupLock takes over from before a reboot',
  dead,
  JSON.stringify({ ...self, bootId: 'another' }),
);
test('takeSetupLock takes over a damaged lock', dead, '{"pid":');

test('takeSetupLock removes what a killed waiter left, not what a living one needs', async (t) => {
  await withFolder(async (folder) => {
    await writeFile(join(folder, 'setup.lock.1'), JSON.stringify({ ...self, startTicks: '1' }));
    await writeFile(join(folder, 'setup.lock.2'), JSON.stringify(self));
    (await takeSetupLock(join(folder, 'setup.lock')))();
    t.deepEqual(await readdir(folder), ['setup.lock.2']);
  });
});

test('takeSetupLock waits for a process of another container', async (t) => {
  await withFolder(async (folder) => {
    const path = join(folder, 'setup.lock');
    await writeFile(path, JSON.stringify({ ...self, pidNamespace: 'pid:[1]', startTicks: '1' }));
    await t.throwsAsync(takeSetupLock(path, { waitMsMax: 1 }), { message: /holds/ });
  });
});
