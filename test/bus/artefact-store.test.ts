import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { zstdCompressSync } from 'node:zlib';
import { jetstreamManager } from '@nats-io/jetstream';
import { Objm } from '@nats-io/obj';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { ArtefactCache } from '../../bus/artefact-cache.ts';
import { openArtefactStore } from '../../bus/artefact-store.ts';
import type { Bus } from '../../bus/bus.ts';
import type { ArtefactManifest } from '../../schemas/artefact.ts';
import { BLOBS_BUCKET } from '../../schemas/subjects.ts';
import { startTestBus } from '../support/nats-server.ts';
import { rejection } from '../support/rejection.ts';

const COORDINATOR = { role: 'coordinator', user: 'coordinator' } as const;
const MIB = 1024 * 1024;

async function newCache(t: ExecutionContext): Promise<ArtefactCache> {
  const folder = await mkdtemp(join(tmpdir(), 'lockstep-cache-'));
  t.teardown(async () => rm(folder, { recursive: true, force: true }));
  return new ArtefactCache(folder);
}

async function putArtefact(cache: ArtefactCache, contents: readonly Uint8Array[]): Promise<string> {
  const files: ArtefactManifest['files'] = [];
  for (const [index, content] of contents.entries()) {
    const blob = await cache.putBytes(content);
    files.push({ path: `/file-${index}`, mode: 0o755, ...blob });
  }
  return cache.putManifest({
    protocol: 1,
    kind: 'function',
    name: 'hello-go',
    architecture: 'x64',
    files,
    entry: ['{root}/file-0'],
    staticBinary: true,
    toolchain: {},
  });
}

const digestOf = (bytes: Uint8Array): string =>
  `sha256:${createHash('sha256').update(bytes).digest('hex')}`;

async function lastSequence(bus: Bus): Promise<number> {
  const manager = await jetstreamManager(bus.connection, { checkAPI: false });
  return (await manager.streams.info(`OBJ_${BLOBS_BUCKET}`)).state.last_seq;
}

test('a device fetches what the coordinator published, byte for byte', async (t) => {
  const server = await startTestBus(t);
  const coordinator = await server.connect(COORDINATOR);
  const built = await newCache(t);
  const contents = [randomBytes(3 * MIB + 17), Buffer.alloc(2 * MIB), Buffer.from('small')];
  const digest = await putArtefact(built, [...contents, Buffer.alloc(0)]);
  const store = await openArtefactStore(coordinator);
  await store.publish(built, digest);
  await store.publishNames({ 'hello-go': digest });
  const before = await lastSequence(coordinator);
  await store.publish(built, digest);
  t.is(await lastSequence(coordinator), before);

  const device = await server.connect({ role: 'device', user: 'd1' });
  const reading = await openArtefactStore(device, { create: false });
  t.is(await reading.lookupName('hello-go'), digest);
  t.is(await reading.lookupName('none'), undefined);
  const cache = await newCache(t);
  await reading.fetch(cache, digest);
  t.deepEqual(await cache.readManifest(digest), await built.readManifest(digest));
  for (const content of contents) {
    t.true((await readFile(cache.blobPath(digestOf(content)))).equals(content));
  }
  const receivedBytes = device.connection.stats().inBytes;
  await reading.fetch(cache, digest);
  t.is(device.connection.stats().inBytes, receivedBytes);
  t.is((await rejection(reading.publish(built, digest))).code, 'BUS_DENIED');
  t.is((await rejection(reading.publishNames({ x: digest }))).code, 'BUS_DENIED');
});

test('agents that share a cache fetch a file once', async (t) => {
  const server = await startTestBus(t);
  const coordinator = await server.connect(COORDINATOR);
  const built = await newCache(t);
  const digest = await putArtefact(built, [randomBytes(4 * MIB)]);
  await (await openArtefactStore(coordinator)).publish(built, digest);
  const shared = await newCache(t);
  const devices = await Promise.all(
    ['d1', 'd2', 'd3'].map((user) => server.connect({ role: 'device', user })),
  );
  await Promise.all(
    devices.map(async (device) => {
      const store = await openArtefactStore(device, { create: false });
      await store.fetch(new ArtefactCache(shared.folder), digest);
    }),
  );
  const receivedBytes = devices.reduce(
    (sum, { connection }) => sum + connection.stats().inBytes,
    0,
  );
  t.true(receivedBytes < 5 * MIB, `${receivedBytes} bytes for a file of 4 MiB`);
});

test('content that is damaged, too long, cut or missing is refused and not kept', async (t) => {
  const server = await startTestBus(t);
  const coordinator = await server.connect(COORDINATOR);
  const store = await openArtefactStore(coordinator);
  const objects = await new Objm(coordinator.connection).open(BLOBS_BUCKET);
  const content = randomBytes(100_000);
  const compressed = zstdCompressSync(content);
  const cases: [string, Uint8Array][] = [
    ['other content', zstdCompressSync(randomBytes(100_000))],
    ['a bomb', zstdCompressSync(Buffer.alloc(64 * MIB))],
    ['cut', compressed.subarray(0, 50_000)],
    ['not compressed', content],
    ['empty', Buffer.alloc(0)],
  ];
  const built = await newCache(t);
  const digest = await putArtefact(built, [content]);
  await store.publish(built, digest);
  for (const [what, bytes] of cases) {
    await objects.putBlob({ name: digestOf(content) }, bytes);
    const cache = await newCache(t);
    const error = await rejection(store.fetch(cache, digest));
    t.is(error.code, 'ARTEFACT_CORRUPT', `${what}: ${error.message}`);
    t.false(await cache.hasBlob(digestOf(content)), what);
  }
  await objects.putBlob({ name: digest }, zstdCompressSync('{"protocol":1}'));
  t.is((await rejection(store.fetch(await newCache(t), digest))).code, 'ARTEFACT_CORRUPT');
  await objects.delete(digestOf(content));
  const cache = await newCache(t);
  await cache.putManifest(await built.readManifest(digest));
  t.is((await rejection(store.fetch(cache, digest))).code, 'ARTEFACT_MISSING');
  // What was removed is published again.
  await store.publish(built, digest);
  await store.fetch(cache, digest);
  t.true(await cache.hasBlob(digestOf(content)));
});
