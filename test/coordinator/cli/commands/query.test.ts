import { spawn } from 'node:child_process';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { CHECKOUT } from '../../../support/nats-server.ts';
import { makeRun } from '../../../support/run-fixture.ts';
import { recordRun, temporaryData } from '../../../support/temporary-run.ts';

const MAIN = join(CHECKOUT, 'coordinator/cli/main.ts');
const FIXTURE = makeRun({ sandboxes: ['process'], functions: ['hello-go'], repetitions: 4 });

interface Ended {
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

async function lockstep(dataFolder: string, ...commandLine: string[]): Promise<Ended> {
  const child = spawn(process.execPath, [MAIN, '--data', dataFolder, ...commandLine], {
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: 60_000,
  });
  const ended = new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr)]);
  return { exitCode: await ended, stdout, stderr };
}

async function dataFolder(t: ExecutionContext): Promise<string> {
  const data = await temporaryData(t);
  await recordRun(data, FIXTURE);
  return data;
}

test.serial('query shows a table, and how many rows it does not show', async (t) => {
  const data = await dataFolder(t);
  const sql = 'select trial, device, wave from results order by all';
  const { exitCode, stdout, stderr } = await lockstep(data, 'query', sql, '--rows', '2');
  t.is(exitCode, 0);
  t.is(stdout, 'trial  device   wave\nt0000  agent-1  0\nt0000  agent-2  0\n');
  t.regex(stderr, /writing the Parquet files of run-fixture\n/);
  t.regex(stderr, /12 rows, 10 more than shown/);
});

test.serial('query writes NDJSON and CSV with every row', async (t) => {
  const data = await dataFolder(t);
  const sql = `select trial, 'a "b"' as quoted, null as nothing, 2::bigint ** 0 as one,
    9007199254740993::bigint as big from results order by all`;
  const json = await lockstep(data, 'query', '--json', sql);
  const lines = json.stdout.trimEnd().split('\n');
  t.is(lines.length, 12);
  const first = { trial: 't0000', quoted: 'a "b"', nothing: null, one: 1 };
  t.deepEqual(JSON.parse(lines[0]!), { ...first, big: '9007199254740993' });
  const csv = await lockstep(data, 'query', '--csv', sql);
  t.is(csv.stdout.split('\r\n').length, 14);
  t.is(csv.stdout.split('\r\n')[0], '"trial","quoted","nothing","one","big"');
  t.is(csv.stdout.split('\r\n')[1], '"t0000","a ""b""",,1,9007199254740993');
});

test.serial('query writes a Parquet file, whole or not at all', async (t) => {
  const data = await dataFolder(t);
  const path = join(data, 'answer.parquet');
  const good = await lockstep(data, 'query', '--parquet', path, 'select run from results;');
  t.is(good.stdout, `${path}\n`);
  const wrong = join(data, 'wrong.parquet');
  const bad = await lockstep(data, 'query', '--parquet', wrong, 'select nothing from results');
  t.is(bad.exitCode, 2);
  t.deepEqual((await readdir(data)).toSorted(), ['answer.parquet', 'runs']);
});

test.serial('query --tables prints every table with its columns', async (t) => {
  const { exitCode, stdout } = await lockstep(await temporaryData(t), 'query', '--tables');
  t.is(exitCode, 0);
  for (const table of ['runs', 'devices', 'results', 'instances', 'samples']) {
    t.regex(stdout, new RegExp(`^${table}$`, 'm'));
  }
  t.regex(stdout, /^ {2}latencyNs +BIGINT$/m);
});

test.serial('a wrong query ends with 2, the reason and the tables', async (t) => {
  const data = await dataFolder(t);
  const { exitCode, stdout, stderr } = await lockstep(data, 'query', 'select x from results');
  t.is(exitCode, 2);
  t.is(stdout, '');
  t.regex(stderr, /error \[QUERY_INVALID\].*"x" not found/);
  t.regex(stderr, /hint: Tables: runs\(/);
  t.is((await lockstep(data, 'query')).exitCode, 2);
});

test.serial('results --parquet writes, names and copies the files', async (t) => {
  const data = await dataFolder(t);
  const own = await lockstep(data, 'results', 'run-fixture', '--parquet');
  t.is(own.exitCode, 0, own.stderr);
  const names = ['results.parquet', 'instances.parquet', 'parquet.json'];
  const folder = join(data, 'runs/run-fixture');
  t.is(own.stdout, names.map((name) => `${join(folder, name)}\n`).join(''));
  const out = join(data, 'copy');
  const copied = await lockstep(data, 'results', 'run-fixture', '--parquet', '--out', out);
  t.is(copied.stdout, names.map((name) => `${join(out, name)}\n`).join(''));
  t.deepEqual((await readdir(out)).toSorted(), names.toSorted());
  t.is((await lockstep(data, 'results', 'run-fixture', '--out', out)).exitCode, 2);
});
