import { execFile } from 'node:child_process';
import { appendFile, mkdtemp, readdir, rename, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { openSpool } from '../../../telemetry/spool/spool.ts';
import type { Spool } from '../../../telemetry/spool/spool.ts';
import { fanOut } from '../../../telemetry/spool/fan-out.ts';
import { rejection } from '../../support/rejection.ts';
import { textPayload } from '../../support/scripted-destination.ts';
import { smallDisk } from '../../support/small-disk.ts';

async function temporaryFolder(t: ExecutionContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'lockstep-spool-'));
  t.teardown(async () => rm(folder, { recursive: true, force: true }));
  return folder;
}

/** Everything that the spool has, taken out of it. */
async function empty(spool: Spool): Promise<string[]> {
  const texts: string[] = [];
  for (let taken = await spool.take(); taken !== undefined; taken = await spool.take()) {
    texts.push(Buffer.from(taken.bytes).toString());
    await spool.remove();
  }
  return texts;
}

async function payloadFiles(folder: string): Promise<string[]> {
  return (await readdir(folder)).filter((name) => name.endsWith('.otlp')).sort();
}

test('a spool gives back what it took, in order, over a restart', async (t) => {
  const folder = await temporaryFolder(t);
  const first = await openSpool({ folder });
  for (const text of ['one', 'two', 'three']) await first.add(textPayload(text, 7));
  t.deepEqual(first.statistics, {
    pendingFiles: 3,
    pendingBytes: 11,
    pendingItems: 21,
    lostItems: { traces: 0, metrics: 0, logs: 0 },
  });
  const taken = await first.take();
  t.is(Buffer.from(taken!.bytes).toString(), 'one');
  // As if the process were killed here: nothing was said about what it took.
  const second = await openSpool({ folder });
  await second.add({ ...textPayload('four'), signal: 'traces' });
  const again = await second.take();
  t.is(again?.id, taken?.id);
  t.is(again?.items, 7);
  second.putBack();
  t.deepEqual(await empty(second), ['one', 'two', 'three', 'four']);
  t.is(second.statistics.pendingBytes, 0);
  t.deepEqual(await payloadFiles(folder), []);
});

test('a payload never has the name of an earlier one, also in an emptied spool', async (t) => {
  const folder = await temporaryFolder(t);
  const ids = new Set<string>();
  for (let round = 0; round < 3; round += 1) {
    const spool = await openSpool({ folder });
    await spool.add(textPayload('the same'));
    ids.add((await spool.take())?.id ?? '');
    await spool.remove();
    await spool.close();
  }
  t.is(ids.size, 3);
});

test('the oldest go when a spool is full, and the loss outlives a restart', async (t) => {
  const folder = await temporaryFolder(t);
  const spool = await openSpool({ folder, maxBytes: 30 });
  for (const digit of '12345') {
    const signal = digit === '2' ? 'logs' : 'metrics';
    await spool.add({ ...textPayload(digit.repeat(10), 100), signal });
  }
  t.is(spool.statistics.pendingBytes, 30);
  const lostItems = { traces: 0, metrics: 100, logs: 100 };
  t.deepEqual(spool.statistics.lostItems, lostItems);
  t.is((await payloadFiles(folder)).length, 3);
  const again = await openSpool({ folder, maxFiles: 2 });
  t.deepEqual(again.statistics.lostItems, { ...lostItems, metrics: 200 });
  t.deepEqual(await empty(again), ['4444444444', '5555555555']);
});

test('what is being sent is not given up for a newer one, and is not counted as lost', async (t) => {
  const spool = await openSpool({ folder: await temporaryFolder(t), maxBytes: 20 });
  await spool.add(textPayload('1111111111'));
  await spool.add(textPayload('2222222222'));
  await spool.take();
  await spool.add(textPayload('3333333333'));
  t.is(spool.statistics.lostItems.metrics, 1);
  await spool.remove();
  t.deepEqual(await empty(spool), ['3333333333']);
  await spool.add(textPayload('4'.repeat(20)));
  await spool.take();
  await spool.add(textPayload('5'));
  t.is(spool.statistics.lostItems.metrics, 2);
  t.is(spool.statistics.pendingFiles, 1);
});

test('a payload over every bound is lost and counted', async (t) => {
  const spool = await openSpool({ folder: await temporaryFolder(t), maxBytes: 20 });
  await spool.add(textPayload('kept'));
  await spool.add(textPayload('x'.repeat(21), 5));
  t.is(spool.statistics.lostItems.metrics, 5);
  t.deepEqual(await empty(spool), ['kept']);
  const slow = await openSpool({ folder: await temporaryFolder(t), maxUnwrittenBytes: 10 });
  await Promise.all([slow.add(textPayload('12345678')), slow.add(textPayload('345', 3))]);
  t.is(slow.statistics.lostItems.metrics, 3);
  t.deepEqual(await empty(slow), ['12345678']);
  await slow.close();
  await slow.add(textPayload('late', 2));
  t.is(slow.statistics.lostItems.metrics, 5);
});

test('a crash between write and rename is a counted loss, once', async (t) => {
  const folder = await temporaryFolder(t);
  const first = await openSpool({ folder });
  for (const text of ['one', 'two']) await first.add(textPayload(text, 9));
  const [, second = ''] = await payloadFiles(folder);
  await rename(join(folder, second), join(folder, `${second}.new`));
  for (let restart = 0; restart < 2; restart += 1) {
    const spool = await openSpool({ folder });
    t.is(spool.statistics.lostItems.metrics, 9);
    t.is(spool.statistics.pendingFiles, 1);
  }
  t.is((await readdir(folder)).length, 2);
});

test('damaged files are counted as lost, foreign ones left alone', async (t) => {
  const folder = await temporaryFolder(t);
  const first = await openSpool({ folder });
  for (const text of ['one', 'two', 'three', 'four']) await first.add(textPayload(text, 10));
  const [torn = '', changed = '', gone = ''] = await payloadFiles(folder);
  await truncate(join(folder, torn), 1);
  await appendFile(join(folder, changed), 'x');
  await writeFile(join(folder, 'foreign.txt'), 'not ours');
  const spool = await openSpool({ folder });
  await rm(join(folder, gone));
  t.deepEqual(await empty(spool), ['four']);
  t.is(spool.statistics.lostItems.metrics, 30);
  t.is(spool.statistics.pendingBytes, 0);
  t.deepEqual((await readdir(folder)).sort(), ['foreign.txt', 'lost']);
});

test('a torn record of losses falls back to the one before', async (t) => {
  const folder = await temporaryFolder(t);
  const spool = await openSpool({ folder, maxFiles: 1 });
  for (const text of ['1', '2', '3']) await spool.add(textPayload(text, 10));
  t.is(spool.statistics.lostItems.metrics, 20);
  // The second loss is in the first of the two places.
  await writeFile(join(folder, 'lost'), 'torn', { flag: 'r+' });
  t.is((await openSpool({ folder })).statistics.lostItems.metrics, 10);
  await writeFile(join(folder, 'lost'), 'nothing of it is whole');
  t.is((await openSpool({ folder })).statistics.lostItems.metrics, 0);
});

test('on a full disk payloads are lost and counted, also over a restart', async (t) => {
  const disk = await smallDisk(t, 65_536);
  if ('missing' in disk) {
    t.log(`skipped: ${disk.missing}`);
    t.pass();
    return;
  }
  const folder = join(disk.path, 'spool');
  const spool = await openSpool({ folder });
  await spool.add(textPayload('before', 1));
  await spool.take();
  await spool.drop();
  const filler = join(disk.path, 'filler');
  await t.throwsAsync(writeFile(filler, Buffer.alloc(100_000)), { code: 'ENOSPC' });
  for (let count = 0; count < 3; count += 1) await spool.add(textPayload('x'.repeat(9000), 10));
  t.is(spool.statistics.lostItems.metrics, 31);
  t.is(spool.statistics.pendingFiles, 0);
  t.deepEqual(await readdir(folder), ['lost']);
  t.is((await openSpool({ folder })).statistics.lostItems.metrics, 31);
  await rm(filler);
  await spool.add(textPayload('after'));
  t.deepEqual(await empty(spool), ['after']);
});

test('on a disk that became read-only payloads are lost, counted and never thrown', async (t) => {
  const disk = await smallDisk(t, 65_536);
  if ('missing' in disk) {
    t.log(`skipped: ${disk.missing}`);
    t.pass();
    return;
  }
  const [, holder = '', mounted = ''] = /^\/proc\/(\d+)\/root(.+)$/.exec(disk.path) ?? [];
  const remount = async (mode: string): Promise<void> => {
    const words = ['-t', holder, '-m', 'mount', '-o', `remount,${mode}`, mounted];
    await promisify(execFile)('nsenter', words);
  };
  const folder = join(disk.path, 'spool');
  const spool = await openSpool({ folder, maxFiles: 1 });
  await spool.add(textPayload('one'));
  await remount('ro');
  await spool.add(textPayload('two', 5));
  await spool.add(textPayload('three', 5));
  const refused = await openSpool({ folder: join(disk.path, 'other') }).catch(
    (error: unknown) => error,
  );
  t.is((refused as { code?: string }).code, 'STORAGE_FAILED');
  await remount('rw');
  await spool.add(textPayload('four'));
  await spool.close();
  const again = await openSpool({ folder });
  t.deepEqual(await empty(again), ['four']);
  t.is(again.statistics.lostItems.metrics, 11);
});

test('a folder that cannot be made is an error that says so', async (t) => {
  const folder = join(await temporaryFolder(t), 'file');
  await writeFile(folder, '');
  const error = await rejection(openSpool({ folder }));
  t.is(error.code, 'STORAGE_FAILED');
  t.true(error.message.includes(folder));
});

test('fanOut gives every payload to each of its spools', async (t) => {
  const left = await openSpool({ folder: await temporaryFolder(t) });
  const right = await openSpool({ folder: await temporaryFolder(t) });
  const sink = fanOut([left, right]);
  for (const text of ['one', 'two']) await sink.add(textPayload(text));
  t.deepEqual(await empty(left), ['one', 'two']);
  t.deepEqual(await empty(right), ['one', 'two']);
});
