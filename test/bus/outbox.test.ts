import { mkdtemp, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { pino } from 'pino';
import type { Bus } from '../../bus/bus.ts';
import { openOutbox } from '../../bus/outbox.ts';
import { ensureStream, readStream, RESULTS } from '../../bus/streams.ts';
import { resultSubject, RESULTS_STREAM } from '../../schemas/subjects.ts';
import { startTestBus } from '../support/nats-server.ts';
import { rejection } from '../support/rejection.ts';
import { smallDisk } from '../support/small-disk.ts';

const SUBJECT = resultSubject('d1');
const COORDINATOR = { role: 'coordinator', user: 'coordinator' } as const;
const bytes = (text: string): Uint8Array => Buffer.from(text);

async function temporaryFolder(t: ExecutionContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'lockstep-outbox-'));
  t.teardown(async () => rm(folder, { recursive: true, force: true }));
  return folder;
}

async function stored(bus: Bus): Promise<string[]> {
  const texts: string[] = [];
  for await (const { data } of readStream(bus, RESULTS_STREAM, SUBJECT)) {
    texts.push(Buffer.from(data).toString());
  }
  return texts;
}

test('nothing is lost, doubled or reordered over kill -9 of the server', async (t) => {
  const server = await startTestBus(t);
  const coordinator = await server.connect(COORDINATOR);
  await ensureStream(coordinator, RESULTS);
  const device = await server.connect({ role: 'device', user: 'd1' });
  const outbox = await openOutbox({ folder: await temporaryFolder(t) });
  t.teardown(async () => outbox.close());
  outbox.start(device);
  const texts = Array.from({ length: 400 }, (_, index) => `message ${index}`);
  for (const [index, text] of texts.entries()) {
    await outbox.add(SUBJECT, `d1:${index}`, bytes(text));
    if (index === 100 || index === 250) await server.kill();
    if (index === 150 || index === 350) await server.restart();
  }
  t.true(await outbox.flush(60_000));
  t.is(outbox.pending, 0);
  t.is(outbox.pendingBytes, 0);
  t.deepEqual(await stored(coordinator), texts);
});

test('messages of an earlier process are sent, in order, before new ones', async (t) => {
  const folder = await temporaryFolder(t);
  const first = await openOutbox({ folder });
  for (const text of ['1', '2', '3']) await first.add(SUBJECT, text, bytes(text));
  await first.close();
  const server = await startTestBus(t);
  const bus = await server.connect(COORDINATOR);
  // There is no stream yet: it must go on trying until there is one.
  const second = await openOutbox({ folder });
  t.is(second.pending, 3);
  second.start(bus);
  await second.add(SUBJECT, '4', bytes('4'));
  t.false(await second.flush(50));
  await ensureStream(bus, RESULTS);
  t.true(await second.flush(60_000));
  await second.close();
  t.deepEqual(await stored(bus), ['1', '2', '3', '4']);
  t.deepEqual(await readdir(folder), []);
});

test('torn and foreign files are set aside with a log line, the others sent', async (t) => {
  const folder = await temporaryFolder(t);
  const first = await openOutbox({ folder });
  for (const text of ['one', 'two', 'three', 'four']) await first.add(SUBJECT, text, bytes(text));
  await first.close();
  const files = (await readdir(folder)).sort();
  const [torn = '', flipped = ''] = files;
  await truncate(join(folder, torn), 20);
  const content = await readFile(join(folder, flipped));
  content[content.length - 1] = 0;
  await writeFile(join(folder, flipped), content);
  await writeFile(join(folder, 'foreign.txt'), 'not ours');
  await writeFile(join(folder, '0000000000000009.message.new'), 'half writ');

  const lines: string[] = [];
  const logger = pino({}, { write: (line: string) => lines.push(line) });
  const server = await startTestBus(t);
  const bus = await server.connect(COORDINATOR);
  await ensureStream(bus, RESULTS);
  const second = await openOutbox({ folder, logger });
  t.is(second.pending, 2);
  second.start(bus);
  t.true(await second.flush(60_000));
  await second.close();
  t.deepEqual(await stored(bus), ['three', 'four']);
  const left = (await readdir(folder)).sort();
  t.deepEqual(left, [`${torn}.bad`, `${flipped}.bad`, 'foreign.txt.bad'].sort());
  for (const file of [torn, flipped, 'foreign.txt']) {
    t.is(lines.filter((line) => line.includes(`${file}"`)).length, 1, file);
  }
});

test('an outbox that is full refuses a message at once', async (t) => {
  const few = await openOutbox({ folder: await temporaryFolder(t), maxMessages: 1 });
  await few.add(SUBJECT, '1', bytes('1'));
  t.is((await rejection(few.add(SUBJECT, '2', bytes('2')))).code, 'STORAGE_FULL');
  await few.close();
  const small = await openOutbox({ folder: await temporaryFolder(t), maxBytes: 10 });
  await small.add(SUBJECT, '1', bytes('12345678'));
  t.is((await rejection(small.add(SUBJECT, '2', bytes('345')))).code, 'STORAGE_FULL');
  t.is(small.pendingBytes, 8);
  await small.close();
});

test('a message for a full disk is kept, told of, and written when there is room', async (t) => {
  const disk = await smallDisk(t, 65_536);
  if ('missing' in disk) {
    t.log(`skipped: ${disk.missing}`);
    t.pass();
    return;
  }
  const told: (string | undefined)[] = [];
  const full = Promise.withResolvers<undefined>();
  const outbox = await openOutbox({
    folder: join(disk.path, 'outbox'),
    onStorage: (error) => {
      told.push(error?.code);
      full.resolve(undefined);
    },
  });
  const filler = join(disk.path, 'filler');
  await t.throwsAsync(writeFile(filler, Buffer.alloc(100_000)), { code: 'ENOSPC' });
  const adding = outbox.add(SUBJECT, '1', bytes('x'.repeat(10_000)));
  await full.promise;
  t.is(outbox.pending, 1);
  t.deepEqual(told, ['STORAGE_FULL']);
  await rm(filler);
  await adding;
  t.deepEqual(told, ['STORAGE_FULL', undefined]);
  await outbox.close();
  const again = await openOutbox({ folder: join(disk.path, 'outbox') });
  t.is(again.pending, 1);
  await again.close();
});

test('with a full disk a message counts once the server has it; else close rejects', async (t) => {
  const disk = await smallDisk(t, 65_536);
  if ('missing' in disk) {
    t.log(`skipped: ${disk.missing}`);
    t.pass();
    return;
  }
  const server = await startTestBus(t);
  const bus = await server.connect(COORDINATOR);
  await ensureStream(bus, RESULTS);
  const outbox = await openOutbox({ folder: join(disk.path, 'outbox') });
  const filler = join(disk.path, 'filler');
  await t.throwsAsync(writeFile(filler, Buffer.alloc(100_000)), { code: 'ENOSPC' });
  outbox.start(bus);
  await outbox.add(SUBJECT, '1', bytes('kept in memory'));
  t.deepEqual(await stored(bus), ['kept in memory']);
  await outbox.close();

  const full = Promise.withResolvers<undefined>();
  const alone = await openOutbox({
    folder: join(disk.path, 'outbox'),
    onStorage: () => {
      full.resolve(undefined);
    },
  });
  const adding = rejection(alone.add(SUBJECT, '2', bytes('x'.repeat(10_000))));
  await full.promise;
  await alone.close();
  t.is((await adding).code, 'STORAGE_FULL');
});
