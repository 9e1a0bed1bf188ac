import { existsSync } from 'node:fs';
import { appendFile, readFile, writeFile } from 'node:fs/promises';
import { gzipSync } from 'node:zlib';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { pino } from 'pino';
import { LateSeals } from '../../../coordinator/recording/late-seals.ts';
import { digestFile } from '../../../coordinator/recording/file-digest.ts';
import { Recorder } from '../../../coordinator/recording/recorder.ts';
import { RunFolder } from '../../../coordinator/recording/run-folder.ts';
import { decodeBlock } from '../../../coordinator/recording/sample-lines.ts';
import { BLOCK_BYTES_MAX, SampleRecorder } from '../../../coordinator/recording/sample-recorder.ts';
import { samplesSubject } from '../../../schemas/subjects.ts';
import type { SampleBlock } from '../../../schemas/telemetry.ts';
import { rejection } from '../../support/rejection.ts';
import { makeRun } from '../../support/run-fixture.ts';
import { blockJson, blockMessage, makeBlock, partOf } from '../../support/sample-blocks.ts';
import { smallDisk } from '../../support/small-disk.ts';
import { recordRun, temporaryData } from '../../support/temporary-run.ts';

const FIXTURE = makeRun({ sandboxes: ['process'], repetitions: 2, agentsPerHost: [1, 1] });
const RESULT = FIXTURE.results[0]!;
const BLOCK = makeBlock(partOf(RESULT));
const logger = pino({ level: 'silent' });

/** A message as the device of a block sends it. */
function messageOf(block: SampleBlock) {
  return { subject: samplesSubject(block.deviceId), data: blockMessage(block) };
}

async function started(t: ExecutionContext) {
  const data = await temporaryData(t);
  return { data, folder: await recordRun(data, FIXTURE) };
}

async function linesOf(folder: RunFolder): Promise<string[]> {
  return (await readFile(folder.path('samples.ndjson'), 'utf8')).split('\n').slice(0, -1);
}

async function onDisk(folder: RunFolder): Promise<SampleBlock[]> {
  return (await linesOf(folder)).map((text, index) => {
    const bytes = Buffer.from(text);
    const line = decodeBlock({ number: index + 1, fromByte: 0, bytes, isWhole: true });
    if ('damage' in line) throw new Error(line.damage);
    return line.value;
  });
}

/** A recorder whose log is kept. */
function logging(data: string) {
  const lines: string[] = [];
  const log = pino({ level: 'error' }, { write: (line: string) => void lines.push(line) });
  return { recorder: new SampleRecorder(data, log), lines };
}

test('SampleRecorder keeps each block once, however often and however fast it comes', async (t) => {
  const { data, folder } = await started(t);
  const recorder = new SampleRecorder(data, logger);
  const blocks = [0, 1, 2].map((sequence) => makeBlock(partOf(RESULT), { sequence }));
  const told: number[] = [];
  recorder.watch(({ sequence }) => told.push(sequence));
  const messages = [...blocks, ...blocks.toReversed()].map(messageOf);
  const isNew = await Promise.all(messages.map((message) => recorder.record(message)));
  t.deepEqual(isNew, [true, true, true, false, false, false]);
  t.deepEqual(told, [0, 1, 2]);
  t.deepEqual(await onDisk(folder), blocks);
});

test('SampleRecorder knows after a restart what is on disk, and heals a torn line', async (t) => {
  const { data, folder } = await started(t);
  await new SampleRecorder(data, logger).record(messageOf(BLOCK));
  await appendFile(folder.path('samples.ndjson'), '{"protocol":1,"runId":"run-f');
  const recorder = new SampleRecorder(data, logger);
  t.false(await recorder.record(messageOf(BLOCK)));
  t.true(await recorder.record(messageOf({ ...BLOCK, attempt: 2 })));
  t.deepEqual(await onDisk(folder), [BLOCK, { ...BLOCK, attempt: 2 }]);
});

test('SampleRecorder takes a block again of which the line was damaged', async (t) => {
  const { data, folder } = await started(t);
  await new SampleRecorder(data, logger).record(messageOf(BLOCK));
  const [line = ''] = await linesOf(folder);
  await writeFile(folder.path('samples.ndjson'), `${line.replace('4096000', '4096001')}\n`);
  t.true(await new SampleRecorder(data, logger).record(messageOf(BLOCK)));
});

test('SampleRecorder writes a block on one line with its head first, however it came', async (t) => {
  const { data, folder } = await started(t);
  const { groups, ...head } = JSON.parse(blockJson(BLOCK)) as Record<string, unknown>;
  const text = JSON.stringify({ groups, ...head }, null, 2);
  const { subject } = messageOf(BLOCK);
  t.true(await new SampleRecorder(data, logger).record({ subject, data: gzipSync(text) }));
  t.deepEqual(await onDisk(folder), [BLOCK]);
  t.regex((await linesOf(folder))[0]!, /^\{"protocol":1,"runId":"run-fixture","trialId":/);
});

test('SampleRecorder refuses what is no block of the device that sent it, and says why', async (t) => {
  const { data, folder } = await started(t);
  const { recorder, lines } = logging(data);
  const { subject } = messageOf(BLOCK);
  const [first, ...others] = BLOCK.groups;
  const shorter = { ...first!, stepsNs: first!.stepsNs.slice(1) };
  const bad = {
    'unpacked|header': { subject, data: Buffer.from(blockJson(BLOCK)) },
    'unpacked|larger': { subject, data: gzipSync(Buffer.alloc(BLOCK_BYTES_MAX + 1, 0x20)) },
    'no JSON': { subject, data: gzipSync('{"protocol":1') },
    'invalid message': { subject, data: gzipSync('{"protocol":1,"runId":"x"}') },
    'protocol version 9': messageOf({ ...BLOCK, protocol: 9 }),
    'not consistent': messageOf({ ...BLOCK, groups: [shorter, ...others] }),
    'came on': { ...messageOf(BLOCK), subject: samplesSubject('agent-2') },
    'no device of run': messageOf({ ...BLOCK, deviceId: 'stranger' }),
    'there is no': messageOf({ ...BLOCK, runId: 'run-nobody-knows' }),
  };
  for (const [why, message] of Object.entries(bad)) {
    lines.length = 0;
    t.false(await recorder.record(message), why);
    t.is(lines.length, 1, why);
    t.regex(lines[0]!, new RegExp(why));
  }
  t.false(existsSync(folder.path('samples.ndjson')));
  t.false(existsSync(RunFolder.of(data, 'run-nobody-knows').folder));
  t.true(await recorder.record(messageOf(BLOCK)));
});

test('samples and results that come late, and at once, are both in run.json', async (t) => {
  const { data, folder } = await started(t);
  await folder.writeRun(await folder.sealed(FIXTURE.run));
  t.is((await folder.readRun()).samplesFile, undefined);
  const seals = new LateSeals(data, logger);
  const samples = new SampleRecorder(data, logger, seals);
  const results = new Recorder(data, logger, seals);
  await Promise.all(
    [2, 3, 4].flatMap((attempt) => [
      samples.record(messageOf({ ...BLOCK, attempt })),
      results.record({ ...RESULT, attempt }),
    ]),
  );
  const { resultsFile, samplesFile } = await folder.readRun();
  for (const [end, name] of [
    [resultsFile?.end, 'results.ndjson'],
    [samplesFile?.end, 'samples.ndjson'],
  ] as const) {
    const { bytes, sha256 } = (await digestFile(folder.path(name)))!;
    t.like(end, { bytes, digest: `sha256:${sha256}` });
  }
  t.is(samplesFile?.end.lines, 3);
});

test('SampleRecorder says STORAGE_FULL while there is space for the results', async (t) => {
  const disk = await smallDisk(t, 5 * 2 ** 20);
  if ('missing' in disk) {
    t.log(`skipped: ${disk.missing}`);
    t.pass();
    return;
  }
  const folder = await recordRun(disk.path, FIXTURE);
  const recorder = new SampleRecorder(disk.path, logger);
  const largeBlock = (sequence: number) => makeBlock(partOf(RESULT), { sequence, rounds: 5000 });
  let kept = 0;
  const failure = await rejection(
    (async () => {
      for (; kept < 100; kept += 1) await recorder.record(messageOf(largeBlock(kept)));
    })(),
  );
  t.is(failure.code, 'STORAGE_FULL');
  t.true(kept > 0);
  t.is((await onDisk(folder)).length, kept);
  await new Recorder(disk.path, logger).record({ ...RESULT, attempt: 9 });
});
