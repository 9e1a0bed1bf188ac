import { spawnSync } from 'node:child_process';
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { PIVOT_FAILURE, pivotProgram } from '../../../agent/sandboxes/guest-pivot.ts';
import { Architecture } from '../../../schemas/artefact.ts';

const PLAN = { modulePaths: ['/modules/00.ko'], mountPoint: '/disk', programPath: '/function' };

for (const architecture of ['x64', 'arm64'] as const) {
  test(`pivotProgram is one whole ELF program for ${architecture} with its texts in it`, (t) => {
    const program = pivotProgram(architecture, PLAN);
    t.deepEqual([...program.subarray(0, 4)], [0x7f, 0x45, 0x4c, 0x46]);
    t.is(program.readUInt16LE(18), architecture === 'x64' ? 62 : 183);
    t.is(program.readBigUInt64LE(96), BigInt(program.length));
    for (const text of ['/modules/00.ko', '/dev/vda', '/disk/dev', '/function', PIVOT_FAILURE]) {
      t.true(program.includes(text), text);
    }
  });
}

// Without rights its mounts fail one after the other, and what is left of it can be seen.
test('pivotProgram becomes its program with its own arguments', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'lockstep-pivot-'));
  t.teardown(async () => rm(folder, { recursive: true, force: true }));
  await mkdir(join(folder, 'disk'));
  const file = join(folder, 'pivot');
  const program = pivotProgram(Architecture.parse(process.arch), {
    modulePaths: [],
    mountPoint: join(folder, 'disk'),
    programPath: '/bin/echo',
  });
  await writeFile(file, program);
  await chmod(file, 0o755);
  // In a user namespace with another user than root nothing can be mounted, and the root stays.
  const words = ['--user', '--map-user=1000', '--', file, 'one', 'two words'];
  const run = spawnSync('unshare', words, { encoding: 'utf8' });
  if (run.stdout === '' && /Operation not permitted/.test(run.stderr)) {
    t.log('skipped: no user namespaces here');
    t.pass();
    return;
  }
  t.is(run.stdout, 'lockstep:guest\none two words\n');
});

test('pivotProgram says so if its program cannot be executed', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'lockstep-pivot-'));
  t.teardown(async () => rm(folder, { recursive: true, force: true }));
  const file = join(folder, 'pivot');
  const programPath = join(folder, 'absent');
  const plan = { modulePaths: [], mountPoint: join(folder, 'no-disk'), programPath };
  await writeFile(file, pivotProgram(Architecture.parse(process.arch), plan));
  await chmod(file, 0o755);
  const run = spawnSync('unshare', ['--user', '--map-user=1000', '--', file], { encoding: 'utf8' });
  if (run.stdout === '' && /Operation not permitted/.test(run.stderr)) {
    t.log('skipped: no user namespaces here');
    t.pass();
    return;
  }
  t.is(run.stderr, `${PIVOT_FAILURE}\n`);
  t.is(run.status, 1);
});
