import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, readFile, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { Report } from '../../../provisioning/bootstrap/report.mjs';
import { setUpSystem, systemNeeds } from '../../../provisioning/bootstrap/system-packages.mjs';

const CHECKOUT = join(import.meta.dirname, '..', '..', '..');
const MACHINE = { isRoot: false, hasApt: true };

interface Outcome {
  readonly code: number | null;
  readonly stderr: string;
}

/** A checkout with the npm packages of this one and nothing else set up. */
async function withCheckout(run: (folder: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'lockstep-test-'));
  try {
    for (const name of ['provisioning', 'bus', 'schemas', 'package.json', 'package-lock.json']) {
      await cp(join(CHECKOUT, name), join(folder, name), { recursive: true });
    }
    await symlink(join(CHECKOUT, 'node_modules'), join(folder, 'node_modules'));
    await run(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function runSetUp(folder: string, words: string[], environment = {}): Promise<Outcome> {
  const script = join(folder, 'provisioning', 'bootstrap', 'main.mjs');
  const env = { HOME: folder, PATH: '/usr/bin:/bin', ...environment };
  return new Promise((resolve) => {
    const child = execFile(process.execPath, [script, ...words], { env }, (_, __, stderr) => {
      resolve({ code: child.exitCode, stderr });
    });
  });
}

/** A server that only says its version, which is all that the set-up asks of it. */
async function addNatsServer(folder: string): Promise<void> {
  const bin = join(folder, '.tools', 'nats-server-9.9.9');
  await mkdir(bin, { recursive: true });
  const script = '#!/bin/sh\necho nats-server: v9.9.9\n';
  await writeFile(join(bin, 'nats-server'), script, { mode: 0o755 });
}

test('set-up without installing ends with the remedy where nats-server is missing', async (t) => {
  await withCheckout(async (folder) => {
    const { code, stderr } = await runSetUp(folder, ['--no-install']);
    t.is(code, 1);
    t.regex(stderr, /no nats-server >= 2\.10\.27 .*--no-install/);
    t.regex(stderr, /what to do: npm run setup/);
    t.deepEqual(await readdir(join(folder, '.tools')), []);
  });
});

test('set-up without installing names what is missing, why, and the remedy', async (t) => {
  await withCheckout(async (folder) => {
    await addNatsServer(folder);
    const { code, stderr } = await runSetUp(folder, [], { LOCKSTEP_NO_INSTALL: '1' });
    t.is(code, 0, stderr);
    t.regex(stderr, /^setup: guest-kernel: missing\. MicroVMs have no kernel/m);
    t.regex(stderr, /^setup: {3}to add it: npm run setup$/m);
    t.regex(stderr, /hello-node\b.*: built/);
    const text = await readFile(join(folder, '.tools', 'tools.json'), 'utf8');
    const tools = JSON.parse(text) as { kernel: unknown; missing: { name: string }[] };
    t.is(tools.kernel, null);
    t.true(tools.missing.some(({ name }) => name === 'guest-kernel'));
    t.deepEqual((await readdir(join(folder, '.tools'))).toSorted(), [
      'nats-server-9.9.9',
      'tools.json',
    ]);
  });
});

test('set-up says which argument it does not know', async (t) => {
  await withCheckout(async (folder) => {
    const { code, stderr } = await runSetUp(folder, ['--force']);
    t.is(code, 2);
    t.regex(stderr, /unknown argument --force/);
  });
});

test('setUpSystem installs nothing without root and gives one command for each thing', async (t) => {
  const lines: string[] = [];
  const report = new Report((text: string) => lines.push(text));
  const allNeeds = [
    { name: 'warp', packages: ['warp-drive'], isThere: () => false, why: 'It is slow without.' },
    { name: 'sh', packages: ['dash'], isThere: () => true, why: 'Never said.' },
  ];
  await setUpSystem({ machine: MACHINE, mayInstall: true, report, allNeeds });
  const remedy = 'sudo apt-get install --no-install-recommends --no-remove warp-drive';
  t.deepEqual(report.missing, [{ name: 'warp', why: 'It is slow without.', remedy }]);
  report.sayMissing();
  t.deepEqual(lines, [
    'setup: warp: missing. It is slow without.\n',
    `setup:   to add it: ${remedy}\n`,
  ]);
});

test('setUpSystem installs nothing as root where that is forbidden', async (t) => {
  const report = new Report(() => t.fail('nothing is said yet'));
  const machine = { isRoot: true, hasApt: true };
  const allNeeds = [{ name: 'warp', packages: ['a', 'b'], isThere: () => false, why: 'Slow.' }];
  await setUpSystem({ machine, mayInstall: false, report, allNeeds });
  t.is(report.missing[0]?.remedy, 'apt-get install --no-install-recommends --no-remove a b');
});

test('systemNeeds has a browser for the tests, and for nobody else', (t) => {
  const named = (options?: { forTests: boolean }): string[] =>
    systemNeeds({ ...MACHINE, qemu: 'qemu', qemuPackage: 'qemu' }, options).map(({ name }) => name);
  t.false(named().includes('chromium'));
  t.false(named({ forTests: false }).includes('chromium'));
  t.deepEqual(
    named({ forTests: true }).filter((name) => !named().includes(name)),
    ['chromium'],
  );
});

test('set-up for the tests takes its flag beside the other', async (t) => {
  await withCheckout(async (folder) => {
    const { code, stderr } = await runSetUp(folder, ['--for-tests', '--no-install']);
    t.is(code, 1);
    t.regex(stderr, /no nats-server >= 2\.10\.27 .*--no-install/);
    t.notRegex(stderr, /unknown argument/);
  });
});
