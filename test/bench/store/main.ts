/** One step of the benchmark in a process of its own: `main.ts STEP DATA_FOLDER RUN_FOLDER`. */
import { basename } from 'node:path';
import { openRun, readRunSummary, writeReport } from '../../../coordinator/cli/report-files.ts';
import { csvDocument } from '../../../coordinator/report/csv.ts';
import { readManifest } from '../../../coordinator/store/manifest.ts';
import { ask } from '../../../coordinator/store/query.ts';
import { openQueryDatabase } from '../../../coordinator/store/query-database.ts';
import { readTrialSamples, summariseSamples } from '../../../coordinator/store/read-samples.ts';
import { readParquetTrials } from '../../../coordinator/store/read-trials.ts';
import { writeParquet } from '../../../coordinator/store/write-parquet.ts';

const [step = '', dataFolder = '', folder = ''] = process.argv.slice(2);

async function query(sql: string): Promise<number> {
  const tell = (message: string): void => {
    console.error(message);
  };
  const database = await openQueryDatabase({ dataFolder, tell });
  try {
    const answer = await ask(database.connection, sql);
    let rows = 0;
    for await (const some of answer.rows()) rows += some.length;
    return rows;
  } finally {
    await database.close();
  }
}

async function countTrials(): Promise<number> {
  let results = 0;
  for await (const trial of readParquetTrials(folder)) results += trial.length;
  return results;
}

async function report(): Promise<number> {
  const read = await readRunSummary(dataFolder, basename(folder));
  await writeReport(read);
  return read.summary.results.distinct;
}

/** The rows of the CSV, as `lockstep results --csv` writes them. */
async function csvRows(): Promise<number> {
  const { run, plan, trials } = await openRun(dataFolder, basename(folder), () => undefined);
  let lines = 0;
  for await (const piece of csvDocument(run, plan, trials)) lines += piece.split('\n').length - 1;
  return lines - 1;
}

/** What each step does; it resolves to how many things it handled. */
const STEPS: Readonly<Record<string, () => Promise<number>>> = {
  report,
  csv: csvRows,
  write: async () => (await writeParquet(folder)).counts.distinct,
  verify: async () => (await readManifest(folder)).counts.distinct,
  read: countTrials,
  'query results': () =>
    query('SELECT cell, device, median(latencyNs) FROM results GROUP BY ALL ORDER BY ALL'),
  'query samples': () => query('SELECT metric, avg(value) FROM samples GROUP BY ALL'),
  'summarise samples': async () =>
    (await summariseSamples(folder)).reduce((sum, { n }) => sum + n, 0),
  'samples of 10 trials': async () => {
    const wanted = Array.from({ length: 10 }, (_, index) => ({
      trialId: `t${String(index * 7).padStart(7, '0')}`,
      attempt: 1,
      deviceId: 'agent-3',
    }));
    return (await readTrialSamples(folder, wanted)).length;
  },
};

const startedAtMs = performance.now();
const count = await STEPS[step]?.();
const elapsedMs = performance.now() - startedAtMs;
const { maxRSS, userCPUTime, systemCPUTime } = process.resourceUsage();
const cpuMs = (userCPUTime + systemCPUTime) / 1000;
console.log(JSON.stringify({ count, elapsedMs, cpuMs, peakMb: (maxRSS * 1024) / 1e6 }));
