import { createHash } from 'node:crypto';
import { chmod, mkdtemp, readFile, readdir, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { ArtefactCache } from '../../bus/artefact-cache.ts';
import type { ArtefactManifest } from '../../schemas/artefact.ts';
import { rejection } from '../support/rejection.ts';

const PROGRAM = Buffer.from('#!/bin/sh\necho hello\n');
const SCRIPT = Buffer.from('script');

async function withCache(run: (cache: ArtefactCache) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'lockstep-test-'));
  try {
    await run(new ArtefactCache(join(folder, 'cache')));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function digestOf(bytes: Uint8Array): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}

function makeManifest(): ArtefactManifest {
  return {
    protocol: 1,
    kind: 'function',
    name: 'hello-test',
    architecture: 'x64',
    files: [file('/bin/program', 0o555, PROGRAM), file('/app/deep/script.mjs', 0o444, SCRIPT)],
    entry: ['{root}/bin/program'],
    staticBinary: false,
    toolchain: { shell: '1' },
  };
}

function file(path: string, mode: number, bytes: Buffer): ArtefactManifest['files'][number] {
  return { path, mode, sizeBytes: bytes.length, digest: digestOf(bytes) };
}

async function fill(cache: ArtefactCache): Promise<string> {
  await cache.putBytes(PROGRAM);
  await cache.putBytes(SCRIPT);
  return cache.putManifest(makeManifest());
}

async function* chunks(...parts: Buffer[]): AsyncGenerator<Buffer> {
  for (const part of parts) yield await Promise.resolve(part);
}

/** Overwrites kept content, as a failing disk would. */
async function damage(path: string): Promise<void> {
  await chmod(path, 0o644);
  await writeFile(path, 'damaged');
}

test('putBytes and putFile keep content by its digest, read-only and once', async (t) => {
  await withCache(async (cache) => {
    const kept = await cache.putBytes(PROGRAM);
    t.deepEqual(kept, { digest: digestOf(PROGRAM), sizeBytes: PROGRAM.length });
    const source = join(cache.folder, 'source');
    await writeFile(source, PROGRAM);
    t.deepEqual(await cache.putFile(source), kept);
    t.deepEqual(await readFile(cache.blobPath(kept.digest)), PROGRAM);
    t.is((await stat(cache.blobPath(kept.digest))).mode & 0o777, 0o444);
    t.deepEqual(await readdir(join(cache.folder, 'blobs')), [kept.digest.slice(7)]);
    t.true(await cache.hasBlob(kept.digest));
    t.false(await cache.hasBlob(digestOf(SCRIPT)));
  });
});

test('putStream keeps what was promised', async (t) => {
  await withCache(async (cache) => {
    const expected = { digest: digestOf(PROGRAM), sizeBytes: PROGRAM.length };
    const source = chunks(PROGRAM.subarray(0, 5), PROGRAM.subarray(5));
    t.deepEqual(await cache.putStream(source, expected), expected);
    t.true(await cache.hasBlob(expected.digest));
  });
});

const refused = test.macro(async (t, sent: Buffer, message: RegExp) => {
  await withCache(async (cache) => {
    const expected = { digest: digestOf(PROGRAM), sizeBytes: PROGRAM.length };
    const error = await rejection(cache.putStream(chunks(sent), expected));
    t.is(error.code, 'ARTEFACT_CORRUPT');
    t.regex(error.message, message);
    t.deepEqual(await readdir(join(cache.folder, 'blobs')), []);
  });
});
test('putStream refuses too much', refused, Buffer.concat([PROGRAM, SCRIPT]), /over 21 bytes/);
test('putStream refuses too little', refused, PROGRAM.subarray(1), /20 of 21 bytes/);
test('putStream refuses other content', refused, Buffer.alloc(PROGRAM.length), /what arrived/);

test('putStream reads no further than the promised size', async (t) => {
  await withCache(async (cache) => {
    let sent = 0;
    async function* endless(): AsyncGenerator<Buffer> {
      for (;;) {
        sent += 1;
        yield await Promise.resolve(Buffer.alloc(10));
      }
    }
    const expected = { digest: digestOf(PROGRAM), sizeBytes: 25 };
    t.is((await rejection(cache.putStream(endless(), expected))).code, 'ARTEFACT_CORRUPT');
    t.is(sent, 3);
  });
});

test('readManifest gives back what putManifest kept, whatever the order of keys', async (t) => {
  await withCache(async (cache) => {
    const manifest = makeManifest();
    const digest = await cache.putManifest(manifest);
    const turned = Object.fromEntries(Object.entries(manifest).toReversed());
    t.is(await cache.putManifest(turned as ArtefactManifest), digest);
    t.deepEqual(await cache.readManifest(digest), manifest);
  });
});

test('readManifest tells absent from damaged, and removes what is damaged', async (t) => {
  await withCache(async (cache) => {
    const digest = await cache.putManifest(makeManifest());
    const path = join(cache.folder, 'manifests', `${digest.slice(7)}.json`);
    await damage(path);
    t.is((await rejection(cache.readManifest(digest))).code, 'ARTEFACT_CORRUPT');
    t.is((await rejection(cache.readManifest(digest))).code, 'ARTEFACT_MISSING');
  });
});

test('assemble makes the files stand with their modes beside empty folders', async (t) => {
  await withCache(async (cache) => {
    const digest = await fill(cache);
    const root = await cache.assemble(digest);
    t.deepEqual((await readdir(root)).toSorted(), [
      'app',
      'bin',
      'dev',
      'etc',
      'proc',
      'sys',
      'tmp',
    ]);
    t.deepEqual(await readFile(join(root, 'bin', 'program')), PROGRAM);
    t.is((await stat(join(root, 'bin', 'program'))).mode & 0o777, 0o555);
    const script = await stat(join(root, 'app', 'deep', 'script.mjs'));
    t.is(script.mode & 0o777, 0o444);
    t.is(script.ino, (await stat(cache.blobPath(digestOf(SCRIPT)))).ino, 'a hard link');
    t.is((await stat(join(root, 'tmp'))).mode & 0o7777, 0o1777);
    t.is(await cache.assemble(digest), root);
  });
});

test('assemble gives everybody the same folder, and leaves nothing beside it', async (t) => {
  await withCache(async (cache) => {
    const digest = await fill(cache);
    const others = [1, 2, 3].map(() => new ArtefactCache(cache.folder));
    const roots = await Promise.all(others.map((one) => one.assemble(digest)));
    t.is(new Set(roots).size, 1);
    t.deepEqual(await readdir(join(cache.folder, 'roots')), [digest.slice(7)]);
    t.deepEqual(await readFile(join(roots[0] ?? '', 'bin', 'program')), PROGRAM);
  });
});

test('assemble refuses damaged content once, then misses it', async (t) => {
  await withCache(async (cache) => {
    const digest = await fill(cache);
    await damage(cache.blobPath(digestOf(PROGRAM)));
    t.is((await rejection(cache.assemble(digest))).code, 'ARTEFACT_CORRUPT');
    t.is((await rejection(cache.assemble(digest))).code, 'ARTEFACT_MISSING');
    t.deepEqual(await readdir(join(cache.folder, 'roots')), []);
    await cache.putBytes(PROGRAM);
    t.regex(await cache.assemble(digest), /roots/);
  });
});

test('setName keeps the other names; an unknown name is absent', async (t) => {
  await withCache(async (cache) => {
    t.deepEqual(await cache.names(), {});
    const digest = await fill(cache);
    await cache.setName('hello-test', digest);
    await cache.setName('guest-kernel', digestOf(SCRIPT));
    t.deepEqual(await cache.names(), { 'guest-kernel': digestOf(SCRIPT), 'hello-test': digest });
    await t.throwsAsync(cache.setName('../escape', digest));
  });
});

test('a new cache removes what a killed writer left long ago, not what is being written', async (t) => {
  await withCache(async (cache) => {
    await cache.putBytes(PROGRAM);
    const blobs = join(cache.folder, 'blobs');
    await writeFile(join(blobs, '.new-old'), 'x');
    await writeFile(join(blobs, '.new-fresh'), 'x');
    await utimes(join(blobs, '.new-old'), 1, 1);
    await new ArtefactCache(cache.folder).putBytes(SCRIPT);
    const names = await readdir(blobs);
    t.false(names.includes('.new-old'));
    t.true(names.includes('.new-fresh'));
  });
});

test('a cache whose folder cannot be made says so', async (t) => {
  await withCache(async (cache) => {
    await cache.putBytes(SCRIPT);
    const blocked = new ArtefactCache(cache.blobPath(digestOf(SCRIPT)));
    t.is((await rejection(blocked.putBytes(PROGRAM))).code, 'STORAGE_FAILED');
  });
});
