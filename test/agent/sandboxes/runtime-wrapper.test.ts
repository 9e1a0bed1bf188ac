import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { HOST_NETWORK_NAMESPACE_VARIABLE } from '../../../agent/sandboxes/network.ts';
import {
  crunWrapper,
  netstackWrapper,
  unifiedBesideV1,
} from '../../../agent/sandboxes/runtime-wrapper.ts';

const V1 =
  '32 31 0:29 / /cg/cpu rw - cgroup cgroup rw,cpu\n33 31 0:30 / /cg/mem rw - cgroup c rw,memory';
const V2 = '38 31 0:31 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw';

async function withUnified(
  controllers: string,
  use: (mountinfo: string, folder: string) => void,
): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'lockstep-unified-'));
  try {
    await mkdir(folder, { recursive: true });
    await writeFile(join(folder, 'cgroup.controllers'), controllers);
    use(`${V1}\n38 31 0:31 / ${folder} rw - cgroup2 cgroup2 rw`, folder);
  } finally {
    await rm(folder, { recursive: true });
  }
}

test('crun needs no wrapper where there is one version of cgroups, or none', (t) => {
  t.deepEqual(crunWrapper(V1), []);
  t.deepEqual(crunWrapper(V2), []);
  t.deepEqual(crunWrapper(''), []);
});

test('crun needs a wrapper where version 2 has a controller beside version 1', async (t) => {
  await withUnified('hugetlb\n', (mountinfo, folder) => {
    t.is(unifiedBesideV1(mountinfo), folder);
    const words = crunWrapper(mountinfo);
    t.is(words[0], 'unshare');
    t.true(words.includes('--mount'));
    t.is(words.at(-1), folder);
  });
});

test('crun needs no wrapper where version 2 beside version 1 has no controller', async (t) => {
  await withUnified('\n', (mountinfo) => {
    t.deepEqual(crunWrapper(mountinfo), []);
  });
});

test.serial('a network stack of its own is refused where the device may be meant', (t) => {
  const known = process.env[HOST_NETWORK_NAMESPACE_VARIABLE];
  Reflect.deleteProperty(process.env, HOST_NETWORK_NAMESPACE_VARIABLE);
  try {
    // Where the device is can't be told.
    t.throws(() => netstackWrapper('/proc/self/ns/net'), { code: 'SANDBOX_UNAVAILABLE' });
    process.env[HOST_NETWORK_NAMESPACE_VARIABLE] = 'net:[1]';
    t.throws(() => netstackWrapper(undefined), { code: 'SANDBOX_UNAVAILABLE' });
    // This process's own namespace is no slot's.
    const [program = '', ...words] = netstackWrapper('/proc/self/ns/net');
    const error = t.throws(() =>
      execFileSync(program, [...words, 'echo', 'started'], { stdio: 'pipe' }),
    ) as unknown as { status: number; stdout: Buffer; stderr: Buffer };
    t.is(error.status, 94);
    t.is(error.stdout.toString(), '');
    t.regex(error.stderr.toString(), /not started with its network stack/);
  } finally {
    Reflect.deleteProperty(process.env, HOST_NETWORK_NAMESPACE_VARIABLE);
    if (known !== undefined) process.env[HOST_NETWORK_NAMESPACE_VARIABLE] = known;
  }
});
