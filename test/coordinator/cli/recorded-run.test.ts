import { readFile, writeFile } from 'node:fs/promises';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { summariseTrials } from '../../../coordinator/analysis/recorded-trials.ts';
import type { RunSummary } from '../../../coordinator/analysis/run-summary.ts';
import { openTrials } from '../../../coordinator/cli/recorded-run.ts';
import type { RunFolder } from '../../../coordinator/recording/run-folder.ts';
import { csvDocument } from '../../../coordinator/report/csv.ts';
import type { SamplerReport } from '../../../schemas/telemetry.ts';
import { collected } from '../../support/collected.ts';
import { makeRun, randomNumbers, shuffled } from '../../support/run-fixture.ts';
import { blockJson, makeBlock, makeReport, partOf } from '../../support/sample-blocks.ts';
import { recordRun, temporaryData } from '../../support/temporary-run.ts';

// The same run is read both ways: as a small one, and as a large one by its Parquet files.

const FIXTURE = makeRun({
  instances: [1, 3],
  repetitions: 4,
  failureRate: 0.2,
  invalidRate: 0.2,
  agentsPerHost: [2, 1],
});
const { run, plan } = FIXTURE;
const ALWAYS_LARGE = 0;

function recorded(t: ExecutionContext): Promise<RunFolder> {
  const results = [...shuffled(FIXTURE.results, randomNumbers(3)), FIXTURE.results[0]!];
  return temporaryData(t).then((data) => recordRun(data, { ...FIXTURE, results }));
}

async function summaryOf(
  folder: RunFolder,
  bytesInMemoryMax?: number,
): Promise<{ summary: RunSummary; said: string[]; csv: string }> {
  const said: string[] = [];
  const say = (text: string): void => {
    said.push(text);
  };
  const trials = await openTrials(folder, { run, plan, say }, bytesInMemoryMax);
  const csv = await collected(csvDocument(run, plan, trials));
  return { summary: await summariseTrials(run, plan, trials), said, csv };
}

test('openTrials gives the same figures and rows of a large run as of a small one', async (t) => {
  const folder = await recorded(t);
  const small = await summaryOf(folder);
  const large = await summaryOf(folder, ALWAYS_LARGE);
  t.true(small.summary.exceptionCount > 0);
  t.deepEqual(large.summary, small.summary);
  t.is(large.csv, small.csv);
  t.deepEqual(small.said, []);
  t.is(large.said.length, 1, 'it says that it writes the Parquet files');
  t.deepEqual((await summaryOf(folder, ALWAYS_LARGE)).said, [], 'only once');
});

test('openTrials writes Parquet files again that are not of these results', async (t) => {
  const folder = await recorded(t);
  await summaryOf(folder, ALWAYS_LARGE);
  await folder.appendResults([{ ...FIXTURE.results[1]!, attempt: 2 }]);
  const { said, summary } = await summaryOf(folder, ALWAYS_LARGE);
  t.is(said.length, 1);
  t.is(summary.results.distinct, FIXTURE.results.length + 1);
});

test('openTrials reads a large run up to its damage, and tells of it', async (t) => {
  const folder = await recorded(t);
  const path = folder.path('results.ndjson');
  const lines = (await readFile(path, 'utf8')).split('\n');
  lines[2] = lines[2]!.replace('"attempt":1', '"attempt":7');
  await writeFile(path, lines.join('\n'));
  const { said, summary } = await summaryOf(folder, ALWAYS_LARGE);
  t.is(said.length, 2);
  t.is(summary.notes[0]?.code, 'damaged-data');
  t.regex(summary.notes[0]?.message ?? '', /line 3/);
  t.true(summary.results.distinct >= FIXTURE.results.length - 1);
});

test('openTrials tells the same of sampling, whether of a small run or of a large one', async (t) => {
  const sources: SamplerReport['sources'] = [
    { source: 'energy', samples: 0, unavailable: 'no counter' },
    { source: 'temperature', samples: 7, rateHz: 1, limitedBy: 'the sensor is slow' },
    { source: 'cgroup-cpu', instance: 0, samples: 100, rateHz: 100 },
  ];
  const results = FIXTURE.results.map((result, index) => ({
    ...result,
    telemetry: index === 0 ? { failure: 'it ended' } : makeReport({ sources }),
  }));
  const data = await temporaryData(t);
  const folder = await recordRun(data, { ...FIXTURE, results });
  const lacking = await summaryOf(folder);
  t.is(lacking.summary.samples?.missing.trials, results.length - 1);
  t.deepEqual((await summaryOf(folder, ALWAYS_LARGE)).summary, lacking.summary);
  for (const result of results.slice(2)) {
    await folder.appendSamples(blockJson(makeBlock(partOf(result))));
  }
  const small = await summaryOf(folder);
  t.is(small.said.length, 1, 'it says that it writes the Parquet files');
  t.deepEqual(small.summary.samples?.missing, { trials: 1, blocks: 1 });
  t.is(small.summary.telemetry?.gaps.length, 2);
  t.deepEqual((await summaryOf(folder, ALWAYS_LARGE)).summary, small.summary);
  t.true(small.summary.notes.some(({ code }) => code === 'samples-missing'));
});
