import { lstat, mkdir, mkdtemp, readFile, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { prepareNspawnRoot } from '../../../agent/sandboxes/nspawn-root.ts';
import { systemdHierarchies } from '../../../agent/sandboxes/nspawn.ts';

test('a prepared root has a place for each file, and what nspawn wants', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'lockstep-nspawn-'));
  try {
    const files = join(folder, 'a:b');
    for (const name of ['tmp', 'proc', 'etc/ssl', 'data']) {
      await mkdir(join(files, name), { recursive: true });
    }
    await writeFile(join(files, 'function'), 'program');
    await writeFile(join(files, 'etc', 'passwd'), 'root');
    await symlink('function', join(files, 'alias'));
    const root = join(folder, 'root');
    const options = await prepareNspawnRoot(root, files);
    const from = `--bind-ro=${folder}/a\\:b`;
    t.deepEqual(options.toSorted(), [
      `${from}/data:/data`,
      `${from}/etc/passwd:/etc/passwd`,
      `${from}/etc/ssl:/etc/ssl`,
      `${from}/function:/function`,
    ]);
    t.deepEqual((await readdir(root)).toSorted(), [
      ...['alias', 'data', 'dev', 'etc', 'function', 'proc', 'run', 'sys', 'tmp', 'usr'],
    ]);
    t.is((await lstat(join(root, 'function'))).size, 0, 'the file itself is not copied');
    t.is(await readFile(join(root, 'etc', 'os-release'), 'utf8'), 'ID=lockstep\n');
    t.is(await readFile(join(files, 'function'), 'utf8'), 'program');
  } finally {
    await rm(folder, { recursive: true });
  }
});

test("a function's own os-release stays its own", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'lockstep-nspawn-'));
  try {
    const files = join(folder, 'files');
    await mkdir(join(files, 'etc'), { recursive: true });
    await writeFile(join(files, 'etc', 'os-release'), 'ID=other\n');
    const options = await prepareNspawnRoot(join(folder, 'root'), files);
    t.deepEqual(options, [`--bind-ro=${files}/etc/os-release:/etc/os-release`]);
    t.is(await readFile(join(files, 'etc', 'os-release'), 'utf8'), 'ID=other\n');
  } finally {
    await rm(folder, { recursive: true });
  }
});

test('the hierarchies that limit nothing are found beside version 1 only', (t) => {
  const cpu = '32 31 0:29 / /cg/cpu rw - cgroup cgroup rw,cpu';
  const named = '40 31 0:37 / /cg/systemd rw - cgroup cgroup rw,xattr,name=systemd';
  const unified = '41 31 0:38 / /cg/unified rw - cgroup2 cgroup2 rw';
  t.deepEqual(systemdHierarchies([cpu, named, unified].join('\n')), ['/cg/systemd', '/cg/unified']);
  t.deepEqual(systemdHierarchies([cpu, named].join('\n')), ['/cg/systemd']);
  t.deepEqual(systemdHierarchies(unified), []);
});
