import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { LockstepError } from '../../../schemas/errors.ts';
import { rejection } from '../../support/rejection.ts';
import { SandboxName } from '../../../schemas/sandbox.ts';
import { DigestLock } from '../../../provisioning/images/digest-lock.ts';
import { fetchRelease } from '../../../provisioning/images/fetch-release.ts';
import { lookAtSandboxes, verifyImages } from '../../../provisioning/images/image-state.ts';
import type { SuppliedFile } from '../../../provisioning/images/supplied.ts';
import { SANDBOX_NEEDS } from '../../../provisioning/images/sandbox-needs.ts';

const ONE = `sha256:${'1'.repeat(64)}`;
const TWO = `sha256:${'2'.repeat(64)}`;

async function newFolder(t: ExecutionContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'lockstep-test-'));
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

/** A server of releases, and a supplied file that comes from it. */
async function serve(
  t: ExecutionContext,
  answer: () => { status: number; body: Buffer },
): Promise<SuppliedFile & { release: { version: string; urls: { x64: string } } }> {
  const server = createServer((_, response) => {
    const { status, body } = answer();
    response.writeHead(status).end(body);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => server.close());
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/release`;
  return {
    ...{ what: 'a tool', place: 'tool/tool', variable: 'LOCKSTEP_TOOL', isProgram: true },
    ...{ source: 'its makers', release: { version: '1', urls: { x64: url } } },
  };
}

test('a digest is recorded at the first sight, and another one refused ever after', async (t) => {
  const folder = await newFolder(t);
  await (await DigestLock.open(folder)).check('a', { digest: ONE, origin: 'here' });
  const again = await DigestLock.open(folder);
  await again.check('a', { digest: ONE, origin: 'elsewhere' });
  t.deepEqual(again.entries(), [['a', { digest: ONE, origin: 'here' }]]);
  await t.throwsAsync(again.check('a', { digest: TWO, origin: 'here' }), {
    instanceOf: LockstepError,
    code: 'ARTEFACT_CORRUPT',
  });
});

test('a damaged record of digests is not taken for an empty one', async (t) => {
  const folder = await newFolder(t);
  await writeFile(join(folder, 'lock.json'), '{"a":');
  await t.throwsAsync(DigestLock.open(folder), { code: 'ARTEFACT_CORRUPT' });
});

test('a release is kept as a program, and not replaced by another content', async (t) => {
  const imagesFolder = await newFolder(t);
  let body = Buffer.from('first');
  const file = await serve(t, () => ({ status: 200, body }));
  await fetchRelease(file, { imagesFolder, architecture: 'x64' });
  const path = join(imagesFolder, 'tool', 'tool');
  t.is(await readFile(path, 'utf8'), 'first');
  t.is((await stat(path)).mode & 0o777, 0o755);
  body = Buffer.from('second');
  const refused = fetchRelease(file, { imagesFolder, architecture: 'x64' });
  await t.throwsAsync(refused, { code: 'ARTEFACT_CORRUPT' });
  t.is(await readFile(path, 'utf8'), 'first');
  t.deepEqual((await readdir(imagesFolder)).toSorted(), ['lock.json', 'tool']);
});

test('a release that is an archive gives its member', async (t) => {
  const imagesFolder = await newFolder(t);
  const source = await newFolder(t);
  await mkdir(join(source, 'release'));
  await writeFile(join(source, 'release', 'tool'), 'inner');
  const body = execFileSync('tar', ['-czf', '-', '-C', source, 'release']);
  const file = await serve(t, () => ({ status: 200, body }));
  const release = { ...file.release, member: { x64: 'release/tool' } };
  await fetchRelease({ ...file, release }, { imagesFolder, architecture: 'x64' });
  t.is(await readFile(join(imagesFolder, 'tool', 'tool'), 'utf8'), 'inner');
});

test('what can’t be downloaded is told with what to do instead, and leaves nothing', async (t) => {
  const imagesFolder = await newFolder(t);
  const file = await serve(t, () => ({ status: 404, body: Buffer.from('no') }));
  const nowhere = { version: '1', urls: { x64: 'http://127.0.0.1:1/x' } };
  for (const [release, reason] of [
    [file.release, /answered 404/],
    [nowhere, /127\.0\.0\.1:1/],
    [{ version: '1', urls: {} }, /no release is known for x64/],
  ] as const) {
    const failing = fetchRelease({ ...file, release }, { imagesFolder, architecture: 'x64' });
    const error = await rejection(failing);
    t.is(error.code, 'TOOL_MISSING');
    t.regex(error.message, reason);
    t.regex(error.hint ?? '', /tool\/tool.*LOCKSTEP_TOOL.*its makers/);
  }
  t.deepEqual(await readdir(imagesFolder), []);
});

test('every kind of sandbox says what it needs and how to get it', async (t) => {
  for (const name of SandboxName.options) t.true(Object.hasOwn(SANDBOX_NEEDS, name), name);
  for (const { needs } of await lookAtSandboxes(await newFolder(t))) {
    for (const { how, what } of needs) t.true(how.length > 5, what);
  }
});

test('a supplied file is found where it was put', async (t) => {
  const folder = await newFolder(t);
  const look = async () => {
    const [state] = await lookAtSandboxes(folder, ['osv']);
    return state!.needs.find(({ what }) => what.includes('loader'))!.path;
  };
  t.is(await look(), undefined);
  await mkdir(join(folder, 'osv'));
  const path = join(folder, 'osv', 'loader-stripped.elf');
  await writeFile(path, 'x');
  t.is(await look(), path);
});

test('verifyImages finds what was changed or is gone', async (t) => {
  const folder = await newFolder(t);
  const lock = await DigestLock.open(folder);
  // SHA-256 of "abc"; source: FIPS 180-2, appendix B.1.
  const abc = 'sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad';
  for (const place of ['whole', 'changed', 'gone', 'https://example.org/archive.tgz']) {
    await lock.check(place, { digest: abc, origin: 'test' });
  }
  await writeFile(join(folder, 'whole'), 'abc');
  await writeFile(join(folder, 'changed'), 'abd');
  const verified = await verifyImages(folder);
  t.deepEqual(
    verified.map(({ place, isFine }) => [place, isFine]),
    [
      ['changed', false],
      ['gone', false],
      ['whole', true],
    ],
  );
  t.false(existsSync(join(folder, 'gone')));
});
