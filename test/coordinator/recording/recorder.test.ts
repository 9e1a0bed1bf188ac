import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { appendFile, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { pino } from 'pino';
import { DataDamage } from '../../../coordinator/recording/data-damage.ts';
import { Recorder } from '../../../coordinator/recording/recorder.ts';
import { RunFolder } from '../../../coordinator/recording/run-folder.ts';
import type { TrialResult } from '../../../schemas/result.ts';
import { makeRun } from '../../support/run-fixture.ts';

const { run, plan, results } = makeRun({ sandboxes: ['process'], repetitions: 3 });
const logger = pino({ level: 'silent' });
const fromDevice = results[0]!;
const inItsPlace: TrialResult = {
  ...fromDevice,
  reportedBy: 'coordinator',
  status: 'failed',
  failure: { code: 'DEVICE_LOST', message: 'the device stopped answering' },
  instances: [],
};

async function dataFolder(t: ExecutionContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'recorder-'));
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

function onDisk(data: string): Promise<TrialResult[]> {
  return RunFolder.of(data, run.runId).readResults();
}

test('Recorder keeps every result, in the order of the calls', async (t) => {
  const data = await dataFolder(t);
  const recorder = new Recorder(data, logger);
  const isNew = await Promise.all(results.map((result) => recorder.record(result)));
  t.true(isNew.every(Boolean));
  t.deepEqual(await onDisk(data), results);
});

test('Recorder keeps a result once that is recorded twice, even at once', async (t) => {
  const data = await dataFolder(t);
  const recorder = new Recorder(data, logger);
  const isNew = await Promise.all([recorder.record(fromDevice), recorder.record(fromDevice)]);
  t.deepEqual(isNew, [true, false]);
  t.deepEqual(await onDisk(data), [fromDevice]);
});

test('Recorder keeps a result once that another Recorder has recorded', async (t) => {
  const data = await dataFolder(t);
  await new Recorder(data, logger).record(fromDevice);
  t.false(await new Recorder(data, logger).record(fromDevice));
  t.deepEqual(await onDisk(data), [fromDevice]);
});

test('Recorder tells attempts, trials and devices apart', async (t) => {
  const data = await dataFolder(t);
  const recorder = new Recorder(data, logger);
  const different = [
    fromDevice,
    { ...fromDevice, attempt: 2 },
    { ...fromDevice, trialId: 'trial-other' },
    { ...fromDevice, deviceId: 'agent-other' },
  ];
  for (const result of different) t.true(await recorder.record(result));
  t.is((await onDisk(data)).length, 4);
});

test("Recorder takes a device's own result after the coordinator's, and only once", async (t) => {
  const data = await dataFolder(t);
  const recorder = new Recorder(data, logger);
  t.true(await recorder.record(inItsPlace));
  t.false(await recorder.record(inItsPlace));
  t.true(await recorder.record(fromDevice));
  t.false(await recorder.record(fromDevice));
  t.false(await new Recorder(data, logger).record(inItsPlace));
  t.deepEqual(await onDisk(data), [inItsPlace, fromDevice]);
});

test("Recorder drops the coordinator's result after the device's own", async (t) => {
  const data = await dataFolder(t);
  const recorder = new Recorder(data, logger);
  await recorder.record(fromDevice);
  t.false(await recorder.record(inItsPlace));
  t.deepEqual(await onDisk(data), [fromDevice]);
});

test('Recorder tells watchers of new results only, once they are on disk', async (t) => {
  const data = await dataFolder(t);
  const recorder = new Recorder(data, logger);
  const seen: string[] = [];
  const stop = recorder.watch({
    onResult: (result) => {
      seen.push(result.trialId);
    },
    onFailure: (error) => {
      t.fail(String(error));
    },
  });
  await recorder.record(fromDevice);
  await recorder.record(fromDevice);
  t.deepEqual(seen, [fromDevice.trialId]);
  stop();
  await recorder.record({ ...fromDevice, attempt: 2 });
  t.is(seen.length, 1);
});

test('Recorder heals a torn line of a crash before it adds to the file', async (t) => {
  const data = await dataFolder(t);
  await new Recorder(data, logger).record(fromDevice);
  await appendFile(RunFolder.of(data, run.runId).path('results.ndjson'), '{"protocol":1,"ru');
  await new Recorder(data, logger).record(results[1]!);
  t.deepEqual(await onDisk(data), results.slice(0, 2));
});

test('Recorder keeps up what run.json states of the results when some come after the end', async (t) => {
  const data = await dataFolder(t);
  const folder = RunFolder.of(data, run.runId);
  await folder.writePlan(plan);
  const recorder = new Recorder(data, logger);
  const going = {
    ...run,
    state: 'running' as const,
    resultsFile: { lineCheck: 'crc-32' as const },
  };
  await folder.writeRun(going);
  await recorder.record(results[0]!);
  t.is((await folder.readRun()).resultsFile?.end, undefined);
  await folder.writeRun(await folder.sealed({ ...going, state: 'completed' }));
  for (const late of results.slice(1, 4)) {
    await recorder.record(late);
    const { resultsFile } = await folder.readRun();
    const bytes = await readFile(folder.path('results.ndjson'));
    t.deepEqual(resultsFile?.end, {
      bytes: bytes.length,
      lines: bytes.toString().split('\n').length - 1,
      digest: `sha256:${createHash('sha256').update(bytes).digest('hex')}`,
    });
  }
  const { damage, ...record } = await folder.read();
  t.is(damage.describe(), undefined);
  t.deepEqual(record.results, results.slice(0, 4));
});

test('Recorder takes a result again whose line on disk is damaged', async (t) => {
  const data = await dataFolder(t);
  const path = RunFolder.of(data, run.runId).path('results.ndjson');
  await new Recorder(data, logger).record(fromDevice);
  await writeFile(path, (await readFile(path, 'utf8')).replace('"attempt":1', '"attempt":2'));
  t.true(await new Recorder(data, logger).record(fromDevice));
  const damage = new DataDamage();
  t.deepEqual(await RunFolder.of(data, run.runId).readResults({ damage }), [fromDevice]);
  t.is(damage.linesLeftOut, 1);
});

test('Recorder can record again once what stood in its way is gone', async (t) => {
  const data = await dataFolder(t);
  await appendFile(join(data, 'runs'), 'a file in the way');
  const recorder = new Recorder(data, logger);
  await t.throwsAsync(recorder.record(fromDevice), { code: 'STORAGE_FAILED' });
  await rm(join(data, 'runs'));
  t.true(await recorder.record(fromDevice));
  t.deepEqual(await onDisk(data), [fromDevice]);
});

/** Fills a disk with results, frees some space and goes on; tells on stdout what happened. */
const FILL_A_DISK = `
const [repository, disk] = process.argv.slice(1);
const load = (path) => import(repository + path);
const { rmSync, writeFileSync } = await import('node:fs');
const { Recorder } = await load('coordinator/recording/recorder.ts');
const { RunFolder } = await load('coordinator/recording/run-folder.ts');
const { makeRun } = await load('test/support/run-fixture.ts');
const [result] = makeRun({ sandboxes: ['process'], repetitions: 1 }).results;
const logger = { debug() {} };
const recorder = new Recorder(disk, logger);
const ballast = disk + '/ballast';
writeFileSync(ballast, Buffer.alloc(64 * 1024));
let kept = 0;
let code = 'none';
for (; kept < 1000; kept += 1) {
  try {
    await recorder.record({ ...result, attempt: kept + 1 });
  } catch (error) {
    code = error.code;
    break;
  }
}
const readable = (await RunFolder.of(disk, result.runId).readResults()).length;
rmSync(ballast);
await recorder.record({ ...result, attempt: kept + 1 });
const attempts = (await RunFolder.of(disk, result.runId).readResults()).map((one) => one.attempt);
console.log(JSON.stringify({ code, kept, readable, attempts }));
`;

test('Recorder says STORAGE_FULL, keeps what it has, and goes on once there is space', async (t) => {
  if (process.getuid?.() !== 0) {
    t.log('skipped: mounting a small disk needs root');
    t.pass();
    return;
  }
  const disk = join(await dataFolder(t), 'disk');
  await mkdir(disk);
  const mountAndRun = 'mount -t tmpfs -o size=128k tmpfs "$1" && exec "$2" -e "$3" "$4" "$1"';
  const repository = new URL('../../../', import.meta.url).href;
  const { stdout } = await promisify(execFile)(
    'unshare',
    ['--mount', 'sh', '-c', mountAndRun, 'sh', disk, process.execPath, FILL_A_DISK, repository],
    { timeout: 20_000, env: { ...process.env, NODE_OPTIONS: '--input-type=module' } },
  );
  const { code, kept, readable, attempts } = JSON.parse(stdout) as {
    code: string;
    kept: number;
    readable: number;
    attempts: number[];
  };
  t.is(code, 'STORAGE_FULL');
  t.true(kept > 0 && kept < 1000, String(kept));
  t.is(readable, kept);
  t.deepEqual(
    attempts,
    Array.from({ length: kept + 1 }, (_unused, index) => index + 1),
  );
});
