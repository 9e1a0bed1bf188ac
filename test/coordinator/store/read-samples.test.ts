import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { columnDefinitions } from '../../../coordinator/store/column.ts';
import { openDatabase } from '../../../coordinator/store/duckdb.ts';
import { readTrialSamples, summariseSamples } from '../../../coordinator/store/read-samples.ts';
import { SAMPLE_COLUMNS } from '../../../coordinator/store/sample-columns.ts';
import { rejection } from '../../support/rejection.ts';
import { temporaryData } from '../../support/temporary-run.ts';

/** A folder with samples.parquet, of the rows that a SELECT gives. */
async function samplesOf(t: ExecutionContext, select: string): Promise<string> {
  const folder = join(await temporaryData(t), 'run');
  await mkdir(folder);
  const database = await openDatabase({ memoryMb: 200 });
  try {
    const connection = await database.connect();
    await connection.run(`CREATE TABLE samples (${columnDefinitions(SAMPLE_COLUMNS)})`);
    await connection.run(`INSERT INTO samples ${select}`);
    await connection.run(`COPY samples TO '${join(folder, 'samples.parquet')}' (FORMAT parquet)`);
  } finally {
    database.close();
  }
  return folder;
}

const BEGIN_NS = 9_007_199_254_740_993n;

test('readTrialSamples gives the series of the wanted trials alone, by time', async (t) => {
  const folder = await samplesOf(
    t,
    `SELECT trial, attempt, device, instance, 'cgroup', 'cpu', attributes, 'ns', ${BEGIN_NS} + i,
       CASE i WHEN 1 THEN NULL ELSE i / 2 END
     FROM unnest(['t1', 't2', 't3']) a(trial), unnest([1, 2]) b(attempt),
       unnest(['d1', 'd2']) c(device), unnest([0, NULL]) e(instance),
       unnest(['a=1', NULL]) f(attributes), range(3) r(i)
     ORDER BY ALL DESC`,
  );
  const series = await readTrialSamples(folder, [
    { trialId: 't1', attempt: 1, deviceId: 'd1' },
    { trialId: 't3', attempt: 2, deviceId: 'd2' },
    { trialId: 't9', attempt: 1, deviceId: 'd1' },
  ]);
  const points = [
    { atMonoNs: BEGIN_NS, value: 0 },
    { atMonoNs: BEGIN_NS + 1n, value: NaN },
    { atMonoNs: BEGIN_NS + 2n, value: 1 },
  ];
  const metric = { source: 'cgroup', metric: 'cpu', unit: 'ns', points };
  const first = { trialId: 't1', attempt: 1, deviceId: 'd1', ...metric };
  const second = { trialId: 't3', attempt: 2, deviceId: 'd2', ...metric };
  t.deepEqual(
    series,
    [first, second].flatMap((own) =>
      [0, undefined].flatMap((instance) => [
        { ...own, instance, attributes: 'a=1' },
        { ...own, instance, attributes: undefined },
      ]),
    ),
  );
});

test('readTrialSamples keeps the extremes of a long series, and its number of points bounded', async (t) => {
  const folder = await samplesOf(
    t,
    `SELECT 't1', 1, 'd1', 0, 'cgroup', 'cpu', NULL, 'ns', i * 1000,
       CASE i WHEN 55555 THEN NULL WHEN 33333 THEN 1e9 WHEN 77777 THEN -1e9 ELSE sin(i / 500) END
     FROM range(100000) r(i)`,
  );
  const [series] = await readTrialSamples(folder, [{ trialId: 't1', attempt: 1, deviceId: 'd1' }]);
  const points = series?.points ?? [];
  t.true(points.length <= 2001 && points.length > 1900, String(points.length));
  t.true(points.some(({ atMonoNs, value }) => atMonoNs === 55_555_000n && Number.isNaN(value)));
  t.true(points.some(({ atMonoNs, value }) => atMonoNs === 33_333_000n && value === 1e9));
  t.true(points.some(({ atMonoNs, value }) => atMonoNs === 77_777_000n && value === -1e9));
  t.deepEqual(
    points.map(({ atMonoNs }) => atMonoNs),
    points.map(({ atMonoNs }) => atMonoNs).toSorted((a, b) => (a < b ? -1 : 1)),
  );
});

test('readTrialSamples leaves a series of 2000 points as it is', async (t) => {
  const folder = await samplesOf(
    t,
    `SELECT 't1', 1, 'd1', 0, 'cgroup', 'cpu', NULL, 'ns', i, 1 FROM range(2000) r(i)`,
  );
  const [series] = await readTrialSamples(folder, [{ trialId: 't1', attempt: 1, deviceId: 'd1' }]);
  t.is(series?.points.length, 2000);
});

test('summariseSamples counts all samples of a metric, and tells its rate', async (t) => {
  const folder = await samplesOf(
    t,
    `SELECT 't' || t, 1, 'd1', 0, 'cgroup', metric, attributes, 'ns',
       t * 1000000000000 + i * CASE metric WHEN 'cpu' THEN 10000000 ELSE 1000000000 END, i
     FROM range(4) a(t), unnest(['cpu', 'memory']) b(metric), unnest(['a=1', NULL]) c(attributes),
       range(11) r(i)
     ORDER BY ALL`,
  );
  t.deepEqual(await summariseSamples(folder), [
    { source: 'cgroup', metric: 'cpu', attributes: 'a=1', unit: 'ns', n: 44, rateHz: 100 },
    { source: 'cgroup', metric: 'cpu', attributes: undefined, unit: 'ns', n: 44, rateHz: 100 },
    { source: 'cgroup', metric: 'memory', attributes: 'a=1', unit: 'ns', n: 44, rateHz: 1 },
    { source: 'cgroup', metric: 'memory', attributes: undefined, unit: 'ns', n: 44, rateHz: 1 },
  ]);
});

test('summariseSamples has no rate where no series has two samples', async (t) => {
  const folder = await samplesOf(t, "SELECT 't1', 1, 'd1', 0, 'cgroup', 'cpu', NULL, 'ns', 5, 1");
  const [summary] = await summariseSamples(folder);
  t.is(summary?.n, 1);
  t.is(summary?.rateHz, undefined);
});

test('a run without samples has no series and no metrics', async (t) => {
  const folder = await temporaryData(t);
  t.deepEqual(await readTrialSamples(folder, [{ trialId: 't', attempt: 1, deviceId: 'd' }]), []);
  t.deepEqual(await summariseSamples(folder), []);
});

test('a damaged samples.parquet is refused', async (t) => {
  const folder = await temporaryData(t);
  await writeFile(join(folder, 'samples.parquet'), 'PAR1 but no more');
  t.is((await rejection(summariseSamples(folder))).code, 'PARQUET_DAMAGED');
});
