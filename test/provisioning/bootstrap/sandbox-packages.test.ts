import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import test from 'ava';
import {
  SANDBOX_PACKAGES,
  readSandboxes,
  sandboxNeeds,
} from '../../../provisioning/bootstrap/sandbox-packages.mjs';
import { systemNeeds } from '../../../provisioning/bootstrap/system-packages.mjs';
import { SandboxName } from '../../../schemas/sandbox.ts';

const MAIN = join(import.meta.dirname, '../../../provisioning/bootstrap/main.mjs');
const MACHINE = {
  ...{ isRoot: false, hasApt: true, qemu: 'qemu', qemuPackage: 'qemu' },
  ...{ debian: 'amd64', triplet: 'x86_64-linux-gnu' },
};

test('every kind of sandbox has a set of packages, be it empty', (t) => {
  for (const name of SandboxName.options) t.true(Object.hasOwn(SANDBOX_PACKAGES, name), name);
});

test('readSandboxes takes all, or known kinds', (t) => {
  t.deepEqual(readSandboxes('all'), Object.keys(SANDBOX_PACKAGES));
  t.deepEqual(readSandboxes('docker,wasi'), ['docker', 'wasi']);
  for (const text of ['', 'docker,', 'dokcer', 'toString', undefined]) {
    t.is(readSandboxes(text), undefined);
  }
});

test('sandboxNeeds names each thing once, and for which kinds', (t) => {
  const needs = sandboxNeeds(MACHINE, ['docker', 'docker-crun', 'crun', 'process']);
  t.deepEqual(
    needs.map(({ packages, why }) => [packages.join(' '), why]),
    [
      ['docker.io', 'Sandboxes of kind docker, docker-crun cannot be measured without it.'],
      ['crun', 'Sandboxes of kind docker-crun, crun cannot be measured without it.'],
    ],
  );
});

test('sandboxNeeds leaves out what the architecture has not', (t) => {
  const names = (debian: string) =>
    sandboxNeeds({ ...MACHINE, debian }, ['uml']).map(({ name }) => name);
  t.deepEqual(names('amd64'), ['linux.uml', 'e2fsprogs']);
  t.deepEqual(names('arm64'), ['e2fsprogs']);
});

test('systemNeeds has the packages of kinds only where they are named', (t) => {
  const packages = (options?: object) =>
    systemNeeds(MACHINE, options).flatMap((need: { packages: string[] }) => need.packages);
  const optional = ['docker.io', 'podman', 'crun', 'bubblewrap', 'systemd-container', 'clang'];
  optional.push('user-mode-linux', 'containerd', 'lld', 'wasi-libc', 'libclang-rt-dev-wasm32');
  for (const name of optional) {
    t.false(packages({ forTests: true }).includes(name), name);
    t.true(packages({ sandboxes: readSandboxes('all') }).includes(name), name);
  }
});

test('the set-up refuses a kind of sandbox that it does not know', (t) => {
  for (const words of [['--sandboxes', 'dokcer'], ['--sandboxes'], ['--sandbox', 'all']]) {
    const { status, stderr } = spawnSync(process.execPath, [MAIN, ...words], { encoding: 'utf8' });
    t.is(status, 2, stderr);
    t.regex(stderr, /usage: .*--sandboxes all\|KIND/);
  }
});
