import { chmod, mkdtemp, readFile, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { spawnSync } from 'node:child_process';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import {
  removeOwnPolicy,
  withoutServices,
} from '../../../provisioning/bootstrap/service-policy.mjs';

const FOREIGN = '#!/bin/sh\n# of the administrator\nexit 0\n';

async function withFolder(run: (path: string, folder: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'lockstep-test-'));
  try {
    await run(join(folder, 'policy-rc.d'), folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

test('withoutServices forbids every start of a service, and only meanwhile', async (t) => {
  await withFolder(async (path, folder) => {
    await withoutServices(async () => {
      t.is((await stat(path)).mode & 0o777, 0o755);
      t.is(spawnSync(path, ['nginx', 'start']).status, 101);
    }, path);
    t.deepEqual(await readdir(folder), []);
  });
});

test('withoutServices removes its policy when the work fails', async (t) => {
  await withFolder(async (path, folder) => {
    const work = withoutServices(() => Promise.reject(new Error('apt failed')), path);
    await t.throwsAsync(work, { message: 'apt failed' });
    t.deepEqual(await readdir(folder), []);
  });
});

test('withoutServices leaves a policy of somebody else as it is', async (t) => {
  await withFolder(async (path, folder) => {
    await writeFile(path, FOREIGN);
    await chmod(path, 0o700);
    await withoutServices(() => Promise.resolve(), path);
    t.is(await readFile(path, 'utf8'), FOREIGN);
    t.is((await stat(path)).mode & 0o777, 0o700);
    t.deepEqual(await readdir(folder), ['policy-rc.d']);
  });
});

test('removeOwnPolicy removes what a killed set-up left, and nothing else', async (t) => {
  await withFolder(async (path, folder) => {
    let left = '';
    await withoutServices(async () => {
      left = await readFile(path, 'utf8');
    }, path);
    await writeFile(path, left);
    t.true(removeOwnPolicy(path));
    t.deepEqual(await readdir(folder), []);
    t.false(removeOwnPolicy(path));
    await writeFile(path, FOREIGN);
    t.false(removeOwnPolicy(path));
    t.is(await readFile(path, 'utf8'), FOREIGN);
  });
});
