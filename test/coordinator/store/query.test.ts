import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { interruptible } from '../../../coordinator/store/duckdb.ts';
import { ask, askIntoParquet } from '../../../coordinator/store/query.ts';
import type { QueryValue } from '../../../coordinator/store/query.ts';
import { openQueryDatabase } from '../../../coordinator/store/query-database.ts';
import type { QueryDatabase } from '../../../coordinator/store/query-database.ts';
import { examplesOf } from '../../support/documents.ts';
import { writeLargeRun } from '../../support/large-run.ts';
import { rejection } from '../../support/rejection.ts';
import { makeRun } from '../../support/run-fixture.ts';
import { blockJson, makeBlock, partOf } from '../../support/sample-blocks.ts';
import { recordRun, temporaryData } from '../../support/temporary-run.ts';

const FIXTURE = makeRun({ sandboxes: ['process', 'runc'], functions: ['hello-go'] });

interface Opened {
  readonly database: QueryDatabase;
  readonly told: string[];
}

async function open(t: ExecutionContext, dataFolder: string, mayWrite?: string): Promise<Opened> {
  const told: string[] = [];
  const database = await openQueryDatabase({
    dataFolder,
    tell: (message) => told.push(message),
    ...(mayWrite === undefined ? {} : { mayWrite }),
  });
  t.teardown(() => database.close());
  return { database, told };
}

/** A data folder with two runs, one of them still going. */
async function twoRuns(t: ExecutionContext): Promise<string> {
  const data = await temporaryData(t);
  await recordRun(data, FIXTURE);
  const { run, plan, results } = FIXTURE;
  const runId = 'second-run';
  await recordRun(data, {
    run: { ...run, runId, state: 'running' },
    plan,
    results: results.slice(0, 6).map((result) => ({ ...result, runId })),
  });
  return data;
}

async function rowsOf({ database }: Opened, sql: string): Promise<QueryValue[][]> {
  const rows: QueryValue[][] = [];
  for await (const some of (await ask(database.connection, sql)).rows()) rows.push(...some);
  return rows;
}

test('a query sees the results, instances and devices of all runs', async (t) => {
  const opened = await open(t, await twoRuns(t));
  t.deepEqual(
    await rowsOf(
      opened,
      `SELECT r.run, r.state, (SELECT count(*) FROM results x WHERE x.run = r.run),
         (SELECT count(*) FROM instances x WHERE x.run = r.run),
         (SELECT count(*) FROM devices x WHERE x.run = r.run)
       FROM runs r ORDER BY r.run`,
    ),
    [
      ['run-fixture', 'completed', 60, 60, 3],
      ['second-run', 'running', 6, 6, 3],
    ],
  );
  t.deepEqual(await rowsOf(opened, 'SELECT count(*) FROM samples'), [[0]]);
});

test('an ended run gets Parquet files that stay; of one that goes on nothing is written', async (t) => {
  const data = await twoRuns(t);
  const { told } = await open(t, data);
  t.deepEqual(told.toSorted(), [
    'reading the results of second-run as they are now',
    'writing the Parquet files of run-fixture',
  ]);
  t.true((await readdir(join(data, 'runs/run-fixture'))).includes('results.parquet'));
  t.false((await readdir(join(data, 'runs/second-run'))).includes('results.parquet'));
  const again = await open(t, data);
  t.deepEqual(again.told, ['reading the results of second-run as they are now']);
});

test('damaged and foreign folders are named and left out', async (t) => {
  const data = await twoRuns(t);
  await mkdir(join(data, 'runs/foreign'));
  await writeFile(join(data, 'runs/second-run/results.ndjson'), '{"no": "result"}\n');
  await writeFile(join(data, 'runs/run-fixture/samples.parquet'), 'no Parquet');
  const opened = await open(t, data);
  const leftOut = opened.told.filter((message) => message.startsWith('left out: '));
  t.is(leftOut.length, 3, leftOut.join('\n'));
  t.regex(leftOut.join('\n'), /foreign.*\n?.*second-run.*line 1|second-run.*line 1.*\n?.*foreign/s);
  t.regex(leftOut.join('\n'), /samples of run-fixture/);
  t.deepEqual(await rowsOf(opened, 'SELECT run FROM runs'), [['run-fixture']]);
});

test('samples are a table of all runs that have any', async (t) => {
  const data = await temporaryData(t);
  const { runId } = await writeLargeRun(data, { results: 80, samples: 8000 });
  const opened = await open(t, data);
  t.deepEqual(await rowsOf(opened, 'SELECT run, count(*) FROM samples GROUP BY run'), [
    [runId, 8000],
  ]);
});

test('integers are numbers where these are exact, and else texts', async (t) => {
  const opened = await open(t, await temporaryData(t));
  const sql = `SELECT 9007199254740991::BIGINT, 9007199254740992::BIGINT, -5::HUGEINT,
    170141183460469231731687303715884105727::HUGEINT, 0.5::DOUBLE, NULL, 'x', true`;
  t.deepEqual(await rowsOf(opened, sql), [
    [
      9_007_199_254_740_991,
      '9007199254740992',
      -5,
      '170141183460469231731687303715884105727',
      0.5,
      null,
      'x',
      true,
    ],
  ]);
});

test('columns of one name stay apart', async (t) => {
  const opened = await open(t, await temporaryData(t));
  const { names } = await ask(opened.database.connection, 'SELECT 1 AS a, 2 AS a');
  t.is(new Set(names).size, 2);
});

const REFUSED = [
  'DELETE FROM runs',
  'CREATE TABLE mine AS SELECT 1',
  'INSERT INTO runs SELECT * FROM runs',
  'DROP VIEW results',
  "SET memory_limit = '100GB'",
  'SET lock_configuration = false',
  'SET enable_external_access = true',
  'INSTALL httpfs',
  'LOAD httpfs',
  "ATTACH 'FOLDER/evil.db'",
  "COPY (SELECT 1) TO 'FOLDER/evil.csv'",
  "COPY runs TO 'FOLDER/runs/run-fixture/run.json'",
  "EXPORT DATABASE 'FOLDER/runs/evil'",
  "EXPLAIN ANALYZE COPY (SELECT 1) TO 'FOLDER/runs/evil.csv'",
  'EXPLAIN ANALYZE DELETE FROM runs',
  "SELECT * FROM query('DELETE FROM runs')",
  'SELECT 1; DELETE FROM runs',
  "SELECT * FROM read_text('/etc/passwd')",
  "SELECT * FROM 'FOLDER/secret.csv'",
  "SELECT * FROM read_csv('FOLDER/secret.csv')",
  "SELECT * FROM glob('FOLDER/*')",
  "SELECT * FROM read_parquet('https://example.org/a.parquet')",
  'SELECT nothing FROM results',
  'SELEC 1',
  '',
  '-- nothing',
  'SELECT $1',
];

test('a query can only read, and only the runs; whatever else it is does nothing', async (t) => {
  const data = await temporaryData(t);
  await recordRun(data, FIXTURE);
  await writeFile(join(data, 'secret.csv'), 'a,b\n1,2\n');
  const opened = await open(t, data);
  const before = (await readdir(data, { recursive: true })).toSorted();
  for (const sql of REFUSED) {
    const { code, hint } = await rejection(rowsOf(opened, sql.replaceAll('FOLDER', data)));
    t.is(code, 'QUERY_INVALID', sql);
    t.truthy(hint, sql);
    t.deepEqual((await readdir(data, { recursive: true })).toSorted(), before, sql);
    t.deepEqual(await rowsOf(opened, 'SELECT count(*) FROM runs'), [[1]], sql);
  }
});

test('an error says what is wrong and which columns there are', async (t) => {
  const opened = await open(t, await temporaryData(t));
  const { message, hint } = await rejection(rowsOf(opened, 'SELECT nothing FROM results'));
  t.regex(message, /"nothing" not found/);
  t.regex(hint ?? '', /results\(resultIndex, run, trial, .*samples\(run, trial/);
});

test('a query that is interrupted ends', async (t) => {
  const { database } = await open(t, await temporaryData(t));
  const stop = new AbortController();
  const counting = interruptible(database.connection, stop.signal, async () => {
    const sql = 'SELECT count(*) FROM range(1000000000000) a(i) WHERE hash(i) = 3';
    const answer = await ask(database.connection, sql);
    for await (const rows of answer.rows()) t.fail(String(rows.length));
  });
  setTimeout(() => {
    stop.abort();
  }, 200);
  await t.throwsAsync(counting);
});

test('askIntoParquet writes the file that it may write, and no other', async (t) => {
  const data = await twoRuns(t);
  const path = join(data, 'answer.parquet');
  const { database } = await open(t, data, path);
  const sql = 'SELECT run, trial FROM results ORDER BY ALL; ';
  t.is(await askIntoParquet(database.connection, sql, path), 66);
  const other = join(data, 'other.parquet');
  t.is((await rejection(askIntoParquet(database.connection, sql, other))).code, 'QUERY_INVALID');
  const trick = `SELECT 1) TO '${path}' (FORMAT csv); SELECT (1`;
  t.is((await rejection(askIntoParquet(database.connection, trick, path))).code, 'QUERY_INVALID');
});

test('samples of a run have their attributes in SQL, also while it goes on', async (t) => {
  const data = await temporaryData(t);
  const blocks = FIXTURE.results.slice(0, 3).map((result) => makeBlock(partOf(result)));
  for (const state of ['completed', 'running'] as const) {
    const runId = `run-${state}`;
    const folder = await recordRun(data, {
      run: { ...FIXTURE.run, runId, state },
      plan: FIXTURE.plan,
      results: FIXTURE.results.map((result) => ({ ...result, runId })),
    });
    for (const block of blocks) await folder.appendSamples(blockJson({ ...block, runId }));
  }
  const opened = await open(t, data);
  const sql = `SELECT run, metric, attributes, count(value) FROM samples
    WHERE source = 'host-cpu' GROUP BY ALL ORDER BY ALL`;
  t.deepEqual(
    await rowsOf(opened, sql),
    ['run-completed', 'run-running'].flatMap((runId) =>
      ['0', '1'].map((processor) => [
        ...[runId, 'lockstep.host.cpu.busy.time', `cpu.logical_number=${processor}`, 60],
      ]),
    ),
  );
  t.false((await readdir(join(data, 'runs/run-running'))).includes('samples.parquet'));
  const [example = ''] = await examplesOf('data.md', 'sql');
  const cpuSeconds = (await rowsOf(opened, example)).map((row) => Number(row.at(-1)));
  t.is(cpuSeconds.length, 6);
  t.true(cpuSeconds.every((value) => Math.abs(value - 19 * 0.004) < 1e-9));
});
