import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readFile, readdir, writeFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { join } from 'node:path';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { measureContext, measureTrial } from '../../../coordinator/analysis/measured-result.ts';
import { hostsOf } from '../../../coordinator/analysis/co-location.ts';
import type { RunFolder } from '../../../coordinator/recording/run-folder.ts';
import { compactRun } from '../../../coordinator/store/compact-run.ts';
import { openDatabase } from '../../../coordinator/store/duckdb.ts';
import { readManifest } from '../../../coordinator/store/manifest.ts';
import { writeParquet } from '../../../coordinator/store/write-parquet.ts';
import { writeLargeRun } from '../../support/large-run.ts';
import { CHECKOUT } from '../../support/nats-server.ts';
import { rejection } from '../../support/rejection.ts';
import { makeRun } from '../../support/run-fixture.ts';
import { recordRun, temporaryData } from '../../support/temporary-run.ts';

const FIXTURE = makeRun({ kind: 'burst', instances: [2], repetitions: 3, failureRate: 0.2 });
const PARQUET = ['instances.parquet', 'parquet.json', 'results.parquet'];

async function recorded(t: ExecutionContext): Promise<RunFolder> {
  return recordRun(await temporaryData(t), FIXTURE);
}

async function select(sql: string): Promise<unknown[][]> {
  const database = await openDatabase({ memoryMb: 200 });
  try {
    const connection = await database.connect();
    return (await connection.runAndReadAll(sql)).getRowsJson();
  } finally {
    database.close();
  }
}

async function names(folder: RunFolder): Promise<string[]> {
  return (await readdir(folder.folder)).toSorted();
}

test('writeParquet leaves the Parquet files and nothing else', async (t) => {
  const folder = await recorded(t);
  const before = await names(folder);
  await writeParquet(folder.folder);
  t.deepEqual(await names(folder), [...before, ...PARQUET].toSorted());
});

test('results.parquet states outcome, latency and host as the analysis does', async (t) => {
  const folder = await recorded(t);
  await writeParquet(folder.folder);
  const { run, plan, results } = FIXTURE;
  const context = measureContext(run, plan, hostsOf(run.devices));
  const expected = measureTrial(results, context).map((one) => [
    one.result.trialId,
    one.result.deviceId,
    one.outcome,
    one.host,
    one.measures.latencyNs === undefined ? null : String(one.measures.latencyNs),
    String(one.planned?.position),
  ]);
  const path = folder.path('results.parquet');
  const rows = await select(
    `SELECT trial, device, outcome, host, latencyNs, position FROM '${path}' ORDER BY ALL`,
  );
  t.deepEqual(rows, expected.toSorted());
});

test('the Parquet files say what they were made of', async (t) => {
  const folder = await recorded(t);
  const { source } = await writeParquet(folder.folder);
  t.is(source.bytes, (await readFile(folder.path('results.ndjson'))).length);
  for (const name of ['results.parquet', 'instances.parquet']) {
    const rows = await select(
      `SELECT key::VARCHAR, value::VARCHAR FROM parquet_kv_metadata('${folder.path(name)}')`,
    );
    t.like(Object.fromEntries(rows), {
      lockstepSchemaVersion: '3',
      runId: FIXTURE.run.runId,
      sourceSha256: source.sha256,
      sourceBytes: String(source.bytes),
    });
  }
});

test('writeParquet refuses a damaged results.ndjson, names the line, and leaves all as it was', async (t) => {
  const folder = await recorded(t);
  await writeParquet(folder.folder);
  const before = await names(folder);
  const old = await readFile(folder.path('parquet.json'), 'utf8');
  const path = folder.path('results.ndjson');
  const lines = (await readFile(path, 'utf8')).split('\n');
  lines[2] = lines[2]!.slice(0, 40);
  await writeFile(path, lines.join('\n'));
  const { code, message } = await rejection(writeParquet(folder.folder));
  t.is(code, 'RUN_DAMAGED');
  t.regex(message, /results\.ndjson line 3/);
  t.deepEqual(await names(folder), before);
  t.is(await readFile(folder.path('parquet.json'), 'utf8'), old);
});

test('writeParquet without a run says NOT_FOUND', async (t) => {
  const folder = join(await temporaryData(t), 'nothing');
  t.is((await rejection(writeParquet(folder))).code, 'NOT_FOUND');
});

test('writeParquet that is told to stop leaves nothing behind', async (t) => {
  const folder = await recorded(t);
  const before = await names(folder);
  const stop = new AbortController();
  const writing = writeParquet(folder.folder, { signal: stop.signal });
  stop.abort();
  await t.throwsAsync(writing, { name: 'AbortError' });
  t.deepEqual(await names(folder), before);
});

test('compactRun writes the same files in a process of its own', async (t) => {
  const folder = await recorded(t);
  const manifest = await compactRun(folder.folder);
  t.deepEqual(await readManifest(folder.folder), manifest);
  t.is(manifest.counts.distinct, FIXTURE.results.length);
});

test('compactRun passes on why it failed', async (t) => {
  const folder = join(await temporaryData(t), 'nothing');
  t.is((await rejection(compactRun(folder))).code, 'NOT_FOUND');
});

test('compactRun that is too late or cancelled says so and leaves nothing behind', async (t) => {
  const folder = await recorded(t);
  const before = await names(folder);
  const late = await rejection(compactRun(folder.folder, { timeoutMs: 1 }));
  t.is(late.code, 'DEADLINE_EXCEEDED');
  const stop = new AbortController();
  const compacting = compactRun(folder.folder, { signal: stop.signal });
  stop.abort();
  t.is((await rejection(compacting)).code, 'CANCELLED');
  t.deepEqual(await names(folder), before);
});

test('a writer that is killed leaves no file that counts, and the next one cleans up', async (t) => {
  const { folder } = await writeLargeRun(await temporaryData(t), { results: 8000, samples: 0 });
  const child = spawn(process.execPath, [join(CHECKOUT, 'coordinator/store/main.ts'), folder]);
  const ended = once(child, 'close');
  const isWriting = async (): Promise<boolean> =>
    (await readdir(folder)).some((name) => name.startsWith('.parquet-'));
  while (child.exitCode === null && !(await isWriting())) await delay(5);
  child.kill('SIGKILL');
  await ended;
  t.true(await isWriting());
  t.is((await rejection(readManifest(folder))).code, 'NOT_FOUND');
  // That of a process that lives is not touched.
  await mkdir(join(folder, `.parquet-${process.pid}-alive`));
  await writeParquet(folder);
  const left = (await readdir(folder)).filter((name) => name.startsWith('.parquet-'));
  t.deepEqual(left, [`.parquet-${process.pid}-alive`]);
  t.is((await readManifest(folder)).counts.distinct, 8000);
});
