import { execFileSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { ArtefactCache } from '../../../bus/artefact-cache.ts';
import type { ArtefactManifest } from '../../../schemas/artefact.ts';
import { LockstepError } from '../../../schemas/errors.ts';
import { makeFunctionImage } from '../../../provisioning/images/function-image.ts';
import type { ImageForm } from '../../../provisioning/images/function-image.ts';

const PROGRAM = randomBytes(70_001);

interface Studio {
  readonly cache: ArtefactCache;
  readonly folder: string;
  readonly digest: string;
}

/** A cache with one function of two files. */
async function newStudio(
  t: ExecutionContext,
  changes: Partial<ArtefactManifest> = {},
): Promise<Studio> {
  const folder = await mkdtemp(join(tmpdir(), 'lockstep-test-'));
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  const cache = new ArtefactCache(join(folder, 'cache'));
  const files = [
    { path: '/function', mode: 0o555, ...(await cache.putBytes(PROGRAM)) },
    { path: '/data/deep/text', mode: 0o444, ...(await cache.putBytes(Buffer.from('text'))) },
  ];
  const digest = await cache.putManifest({
    ...{ protocol: 1, kind: 'function', name: 'probe', architecture: 'arm64', files },
    ...{ entry: ['{root}/function', '--data', '{root}/data'], staticBinary: true, toolchain: {} },
    ...changes,
  });
  return { cache, folder, digest };
}

async function make(studio: Studio, form: ImageForm, name = 'images'): Promise<string> {
  const imagesFolder = join(studio.folder, name);
  const image = await makeFunctionImage(studio.cache, studio.digest, form, imagesFolder);
  const path = join(imagesFolder, image.place);
  const found = createHash('sha256')
    .update(await readFile(path))
    .digest('hex');
  if (image.digest !== `sha256:${found}`) throw new Error(`${path} is not ${image.digest}`);
  return path;
}

function print(program: string, words: string[], input?: Buffer): Buffer {
  return execFileSync(program, words, {
    stdio: ['pipe', 'pipe', 'ignore'],
    ...(input === undefined ? {} : { input }),
  });
}

test('the same function gives the same image, later and in another folder', async (t) => {
  const studio = await newStudio(t);
  const forms: ImageForm[] = ['tree', 'oci', 'initramfs', 'ext4'];
  const first = await Promise.all(forms.map((form) => make(studio, form)));
  // Times in images are whole seconds.
  await delay(1100);
  const second = await Promise.all(forms.map((form) => make(studio, form, 'elsewhere')));
  for (const [index, path] of first.entries()) {
    t.true((await readFile(path)).equals(await readFile(second[index]!)), forms[index]);
  }
});

test('a tree has the files, with their modes and nobody’s times', async (t) => {
  const path = await make(await newStudio(t), 'tree');
  const listing = print('tar', ['--utc', '--numeric-owner', '-tvf', path]).toString();
  t.regex(listing, /^-r-xr-xr-x 0\/0\s+70001 1970-01-01 00:00 function$/m);
  t.regex(listing, /^drwxrwxrwt 0\/0 .* tmp\/$/m);
  t.deepEqual(print('tar', ['-xOf', path, 'function']), PROGRAM);
});

test('an OCI image names its processor and its command, and every digest is true', async (t) => {
  const path = await make(await newStudio(t), 'oci');
  const blob = (digest: string): Buffer => {
    const content = print('tar', ['-xOf', path, `blobs/sha256/${digest.slice(7)}`]);
    t.is(`sha256:${createHash('sha256').update(content).digest('hex')}`, digest);
    return content;
  };
  const read = (content: Buffer): unknown => JSON.parse(content.toString());
  const index = read(print('tar', ['-xOf', path, 'index.json'])) as {
    manifests: { digest: string }[];
  };
  const manifest = read(blob(index.manifests[0]!.digest)) as {
    config: { digest: string };
    layers: { digest: string }[];
  };
  const config = read(blob(manifest.config.digest)) as object;
  t.like(config, {
    architecture: 'arm64',
    config: { Entrypoint: ['/function', '--data', '/data'] },
  });
  const layer = blob(manifest.layers[0]!.digest);
  t.deepEqual(print('tar', ['-xOf', '-', 'data/deep/text'], layer), Buffer.from('text'));
});

test('a file system is whole and has the files', async (t) => {
  const path = await make(await newStudio(t), 'ext4');
  print('/usr/sbin/e2fsck', ['-fn', path]);
  const debugfs = (command: string) => print('/usr/sbin/debugfs', ['-R', command, path]);
  t.deepEqual(debugfs('cat /function'), PROGRAM);
  t.regex(debugfs('stat /function').toString(), /Mode:\s+0555[^]*User:\s+0[^]*mtime: 0x00000001/);
  t.regex(debugfs('stat /dev/console').toString(), /character special/);
});

test('an initial RAM file system begins with folders and has every file', async (t) => {
  const content = await readFile(await make(await newStudio(t), 'initramfs'));
  t.is(content.subarray(0, 6).toString(), '070701');
  t.true(content.includes(PROGRAM));
  const names = ['data\0', 'data/deep\0', 'dev/console\0', 'data/deep/text\0', 'TRAILER!!!\0'];
  const places = names.map((name) => content.indexOf(name));
  t.deepEqual(
    places,
    places.toSorted((left, right) => left - right),
  );
  t.true(places.every((place) => place > 0));
});

test('a form that a function can’t have is refused', async (t) => {
  const isInvalid = { instanceOf: LockstepError, code: 'IMAGE_INVALID' } as const;
  const dynamic = await newStudio(t, { staticBinary: false });
  await t.throwsAsync(make(dynamic, 'initramfs'), isInvalid);
  await t.throwsAsync(make(dynamic, 'code'), isInvalid);
  await t.throwsAsync(make(await newStudio(t, { form: 'wasm' }), 'oci'), isInvalid);
});
