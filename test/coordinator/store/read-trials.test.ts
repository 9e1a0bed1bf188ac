import { appendFile, readFile, truncate, unlink, writeFile } from 'node:fs/promises';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import fc from 'fast-check';
import { distinctResults } from '../../../coordinator/analysis/distinct-results.ts';
import { trialsInOrder } from '../../../coordinator/analysis/measured-result.ts';
import type { RunFolder } from '../../../coordinator/recording/run-folder.ts';
import { readManifest } from '../../../coordinator/store/manifest.ts';
import { readParquetTrials } from '../../../coordinator/store/read-trials.ts';
import { writeParquet } from '../../../coordinator/store/write-parquet.ts';
import type { TrialResult } from '../../../schemas/result.ts';
import { rejection } from '../../support/rejection.ts';
import { anyResults } from '../../support/result-arbitrary.ts';
import { makeRun, randomNumbers, shuffled } from '../../support/run-fixture.ts';
import { recordRun, temporaryData } from '../../support/temporary-run.ts';

const FIXTURE = makeRun({
  kind: 'warm-call',
  sandboxes: ['process', 'microvm'],
  instances: [1, 3],
  repetitions: 3,
  failureRate: 0.2,
  invalidRate: 0.2,
  agentsPerHost: [2, 1],
});

async function trialsOf(folder: RunFolder): Promise<TrialResult[][]> {
  const trials: TrialResult[][] = [];
  for await (const trial of readParquetTrials(folder.folder)) trials.push(trial);
  return trials;
}

/** A run with its Parquet files. */
async function written(t: ExecutionContext): Promise<RunFolder> {
  const folder = await recordRun(await temporaryData(t), FIXTURE);
  await writeParquet(folder.folder);
  return folder;
}

async function codeOf(folder: RunFolder): Promise<string> {
  const { code } = await rejection(trialsOf(folder));
  return code;
}

test('readParquetTrials gives back any results that the schema allows, to the last field', async (t) => {
  const { run } = FIXTURE;
  const deviceIds = run.devices.map(({ presence }) => presence.deviceId);
  const key = ({ trialId, attempt, deviceId }: TrialResult): string =>
    [trialId, String(attempt).padStart(20), deviceId].join('/');
  await fc.assert(
    fc.asyncProperty(anyResults(run.runId, deviceIds), async (results) => {
      const folder = await recordRun(await temporaryData(t), { run, results });
      const manifest = await writeParquet(folder.folder);
      const read = (await trialsOf(folder)).flat();
      t.deepEqual(
        read.toSorted((a, b) => (key(a) < key(b) ? -1 : 1)),
        results.toSorted((a, b) => (key(a) < key(b) ? -1 : 1)),
      );
      t.is(manifest.counts.distinct, results.length);
    }),
    { numRuns: 12, seed: 4 },
  );
});

test('readParquetTrials gives the trials of the plan in order, each with its devices', async (t) => {
  const { run, plan, results } = FIXTURE;
  const mixed = shuffled(results, randomNumbers(7));
  const folder = await recordRun(await temporaryData(t), { run, plan, results: mixed });
  await writeParquet(folder.folder);
  const ordered = trialsInOrder(distinctResults(run.runId, results).results, plan);
  t.deepEqual(await trialsOf(folder), ordered);
});

test('writeParquet keeps one result per key, as the analysis does, and counts alike', async (t) => {
  const { run, plan, results } = FIXTURE;
  const [first, second, third, fourth] = results as [
    TrialResult,
    TrialResult,
    TrialResult,
    TrialResult,
  ];
  const replaced: TrialResult = { ...second, reportedBy: 'coordinator', status: 'failed' };
  const other: TrialResult = { ...third, sandboxDetails: { version: '0' } };
  const all = [replaced, first, ...results, first, other, { ...fourth, attempt: 2 }, replaced];
  const mixed = shuffled(all, randomNumbers(3));
  const folder = await recordRun(await temporaryData(t), { run, plan, results: mixed });
  const { counts } = await writeParquet(folder.folder);
  const expected = distinctResults(run.runId, all);
  t.deepEqual(counts, expected.counts);
  t.true(counts.duplicates > 0 && counts.superseded > 0 && counts.conflicting > 0);
  const ordered = trialsInOrder(expected.results, plan).map((trial) =>
    trial.toSorted((a, b) => a.attempt - b.attempt || (a.deviceId < b.deviceId ? -1 : 1)),
  );
  t.deepEqual(await trialsOf(folder), ordered);
});

test('readParquetTrials of a run without results gives none', async (t) => {
  const { run, plan } = FIXTURE;
  const folder = await recordRun(await temporaryData(t), { run, plan, results: [] });
  await unlink(folder.path('results.ndjson'));
  await writeParquet(folder.folder);
  t.deepEqual(await trialsOf(folder), []);
});

test('readParquetTrials can be left before its end', async (t) => {
  const folder = await written(t);
  for await (const trial of readParquetTrials(folder.folder)) {
    t.is(trial[0]?.trialId, 't0000');
    break;
  }
});

test('readParquetTrials without Parquet files says NOT_FOUND', async (t) => {
  const folder = await recordRun(await temporaryData(t), FIXTURE);
  t.is(await codeOf(folder), 'NOT_FOUND');
});

test('readParquetTrials refuses files that were made of fewer results', async (t) => {
  const folder = await written(t);
  await folder.appendResults([{ ...FIXTURE.results[0]!, attempt: 2 }]);
  const error = await rejection(trialsOf(folder));
  t.is(error.code, 'PARQUET_STALE');
  t.regex(error.hint ?? '', /lockstep results/);
});

test('readParquetTrials refuses files of results that were changed in place', async (t) => {
  const folder = await written(t);
  const path = folder.path('results.ndjson');
  await writeFile(path, (await readFile(path, 'utf8')).replace('"probes":16', '"probes":17'));
  t.is(await codeOf(folder), 'PARQUET_STALE');
});

test('readParquetTrials refuses files of another plan', async (t) => {
  const folder = await written(t);
  await folder.writePlan({ ...FIXTURE.plan, trials: FIXTURE.plan.trials.toReversed() });
  t.is(await codeOf(folder), 'PARQUET_STALE');
});

test('readParquetTrials refuses files of another schema version', async (t) => {
  const folder = await written(t);
  const path = folder.path('parquet.json');
  const manifest = JSON.parse(await readFile(path, 'utf8')) as object;
  await writeFile(path, JSON.stringify({ ...manifest, schemaVersion: 999 }));
  t.is(await codeOf(folder), 'PARQUET_STALE');
});

for (const name of ['results.parquet', 'instances.parquet']) {
  test(`readParquetTrials refuses ${name} with one flipped bit, cut off, longer or gone`, async (t) => {
    const folder = await written(t);
    const path = folder.path(name);
    const bytes = await readFile(path);
    const flipped = Buffer.from(bytes);
    flipped[200]! ^= 1;
    await writeFile(path, flipped);
    t.is(await codeOf(folder), 'PARQUET_DAMAGED');
    await writeFile(path, bytes);
    await truncate(path, bytes.length - 10);
    t.is(await codeOf(folder), 'PARQUET_DAMAGED');
    await writeFile(path, bytes);
    t.true((await trialsOf(folder)).length > 0);
    await appendFile(path, 'x');
    t.is(await codeOf(folder), 'PARQUET_DAMAGED');
    await unlink(path);
    t.is(await codeOf(folder), 'PARQUET_DAMAGED');
  });
}

test('readManifest refuses a damaged parquet.json', async (t) => {
  const folder = await written(t);
  await writeFile(folder.path('parquet.json'), '{"schemaVersion": 1');
  const { code } = await rejection(readManifest(folder.folder));
  t.is(code, 'PARQUET_DAMAGED');
});

test('readParquetTrials refuses files whose rows do not fit together, whatever their digest', async (t) => {
  const folder = await written(t);
  const manifest = await readManifest(folder.folder);
  const wrong = { ...manifest, counts: { ...manifest.counts, distinct: 1 } };
  const read = async (): Promise<void> => {
    for await (const trial of readParquetTrials(folder.folder, { known: wrong })) t.truthy(trial);
  };
  const { code } = await rejection(read());
  t.is(code, 'PARQUET_DAMAGED');
});
