import { mkdir, mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { Report } from '../../../provisioning/bootstrap/report.mjs';
import { TEST_SERVERS, setUpTestServers } from '../../../provisioning/bootstrap/test-servers.mjs';

type Tools = Record<string, { path: string; version: string } | null>;

const PROGRAM = '#!/bin/sh\nexit 0\n';
const BROKEN = '#!/bin/sh\necho "version GLIBC_2.38 not found" >&2\nexit 1\n';

async function makeFolder(t: ExecutionContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'lockstep-test-'));
  t.teardown(async () => rm(folder, { recursive: true, force: true }));
  return folder;
}

/** Packages that are unpacked like those of a mirror, without one. */
function packagesIn(toolsFolder: string, textOf: (name: string) => string, reason = '') {
  const asked: string[][] = [];
  return {
    asked,
    unpack: async (names: string[]) => {
      asked.push(names);
      if (reason !== '') return { folder: '', reason, versions: {} };
      const folder = await mkdtemp(join(toolsFolder, 'work-'));
      for (const [name, { path, word }] of Object.entries(TEST_SERVERS)) {
        const file = join(folder, 'root', path, word === undefined ? 'one.proto' : '');
        await mkdir(dirname(file), { recursive: true });
        await writeFile(file, textOf(name), { mode: 0o755 });
      }
      const versions = Object.fromEntries(names.map((name) => [name, '1.2.3-4']));
      return { folder, reason: '', versions };
    },
  };
}

async function setUp(
  toolsFolder: string,
  packages: ReturnType<typeof packagesIn> | undefined,
  mayFetch = true,
): Promise<{ tools: Tools; missing: Report['missing'] }> {
  const report = new Report(() => true);
  await setUpTestServers({ toolsFolder, mayFetch, report }, packages as never);
  const text = await readFile(join(toolsFolder, 'test-tools.json'), 'utf8');
  return { tools: JSON.parse(text) as Tools, missing: report.missing };
}

test('setUpTestServers fetches all in one go, once, and records where they are', async (t) => {
  const folder = await makeFolder(t);
  const packages = packagesIn(folder, () => PROGRAM);
  const { tools, missing } = await setUp(folder, packages);
  t.deepEqual(missing, []);
  t.deepEqual(Object.keys(tools).toSorted(), Object.keys(TEST_SERVERS).toSorted());
  t.is(tools['vmagent']?.path, join(folder, 'test-servers/usr/bin/vmagent'));
  t.is(tools['vmagent']?.version, '1.2.3-4');
  t.deepEqual((await setUp(folder, packages)).tools, tools);
  t.is(packages.asked.length, 1);
  t.deepEqual((await readdir(folder)).toSorted(), ['test-servers', 'test-tools.json']);
});

test('setUpTestServers fetches again what was damaged', async (t) => {
  const folder = await makeFolder(t);
  const packages = packagesIn(folder, () => PROGRAM);
  await setUp(folder, packages);
  await writeFile(join(folder, 'test-servers/record.json'), '{"torn');
  await setUp(folder, packages);
  await rm(join(folder, 'test-servers/usr/bin/promtool'));
  const { tools, missing } = await setUp(folder, packages);
  t.is(packages.asked.length, 3);
  t.deepEqual(missing, []);
  t.truthy(tools['promtool']);
});

test('setUpTestServers names what does not run here, and keeps the rest', async (t) => {
  const folder = await makeFolder(t);
  const packages = packagesIn(folder, (name) => (name === 'prometheus' ? BROKEN : PROGRAM));
  const { tools, missing } = await setUp(folder, packages);
  t.is(tools['prometheus'], null);
  t.truthy(tools['promtool']);
  t.regex(missing[0]?.why ?? '', /not tested against prometheus\. They do not run here\./);
  await setUp(folder, packages);
  t.is(packages.asked.length, 1, 'what did not run is not fetched again and again');
});

test('setUpTestServers says why there are none, and how to get them', async (t) => {
  const folder = await makeFolder(t);
  const offline = packagesIn(folder, () => PROGRAM, 'apt-get update: no network');
  for (const [outcome, why] of [
    [await setUp(folder, offline), /no network/],
    [await setUp(folder, undefined), /Debian/],
    [await setUp(folder, offline, false), /--no-install/],
  ] as const) {
    t.true(Object.values(outcome.tools).every((tool) => tool === null));
    t.regex(outcome.missing[0]?.why ?? '', why);
    t.is(outcome.missing[0]?.remedy, 'npm run setup -- --for-tests');
  }
  t.deepEqual(await readdir(folder), ['test-tools.json']);
});
