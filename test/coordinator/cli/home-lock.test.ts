import { mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { lockHome } from '../../../coordinator/cli/home-lock.ts';
import { identityOf } from '../../../provisioning/nats/process-identity.ts';
import { rejection } from '../../support/rejection.ts';

async function home(t: ExecutionContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'home-lock-'));
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

test('lockHome refuses a folder that a running process holds, until it is given back', async (t) => {
  const folder = join(await home(t), 'made', 'on demand');
  const release = await lockHome(folder);
  const error = await rejection(lockHome(folder));
  t.is(error.code, 'AGENT_BUSY');
  t.true(error.message.includes(String(process.pid)));
  t.regex(error.hint ?? '', /--data/);
  await release();
  t.deepEqual(await readdir(folder), []);
  await t.notThrowsAsync(lockHome(folder));
});

const takesOver = test.macro({
  async exec(t, makeLock: () => Promise<string>) {
    const folder = await home(t);
    const path = join(folder, 'up.lock');
    await writeFile(path, await makeLock());
    const release = await lockHome(folder);
    t.deepEqual(JSON.parse(await readFile(path, 'utf8')), await identityOf(process.pid));
    await release();
  },
  title: (providedTitle) => `lockHome takes over the lock ${providedTitle ?? ''}`,
});
test('of a process that is gone', takesOver, async () =>
  JSON.stringify({ ...(await identityOf(process.pid)), pid: 2 ** 30 }),
);
test('of an earlier process with a number that is in use again', takesOver, async () =>
  JSON.stringify({ ...(await identityOf(process.pid)), startTicks: '1' }),
);
test('of an earlier boot', takesOver, async () =>
  JSON.stringify({ ...(await identityOf(process.pid)), bootId: 'before' }),
);
test('that a crash left half-written', takesOver, () => Promise.resolve('{"pid": 1'));

test('lockHome gives a dead lock to exactly one of many that start at once', async (t) => {
  const folder = await home(t);
  const dead = { ...(await identityOf(process.pid)), startTicks: '1' };
  for (let round = 0; round < 20; round += 1) {
    await writeFile(join(folder, 'up.lock'), JSON.stringify(dead));
    const starts = await Promise.allSettled(Array.from({ length: 8 }, () => lockHome(folder)));
    const taken = starts.filter(({ status }) => status === 'fulfilled');
    t.is(taken.length, 1);
    t.deepEqual(await readdir(folder), ['up.lock']);
  }
});
