import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { openDatabase } from '../../coordinator/store/duckdb.ts';
import { sqlText } from '../../coordinator/store/column.ts';
import { RunFolder } from '../../coordinator/recording/run-folder.ts';
import type { PlannedTrial } from '../../schemas/plan.ts';
import { TrialResult } from '../../schemas/result.ts';
import { makeRun } from './run-fixture.ts';

/** How large a run to write. */
export interface LargeRunOptions {
  /** At least so many results: whole repetitions of 8 cells on 10 devices. */
  readonly results: number;
  /** So many samples in samples.parquet; 0 writes none. */
  readonly samples: number;
}

/** A run that was written. */
export interface LargeRun {
  readonly folder: string;
  readonly runId: string;
  readonly results: number;
  readonly trials: number;
}

const AGENTS_PER_HOST = [2, 2, 2, 2, 2];
const DEVICES = 10;
const CELLS = 8;
const RESULTS_PER_REPETITION = DEVICES * CELLS;
const REPETITIONS_PER_BLOCK = 25;
const METRICS = [
  ['cgroup', 'cpu.usage', 'ns'],
  ['cgroup', 'memory.current', 'By'],
  ['cgroup', 'io.read', 'By'],
  ['host', 'cpu.idle', 'ns'],
  ['host', 'temperature', 'Cel'],
] as const;
const POINTS = 20;
const SAMPLES_PER_RESULT = METRICS.length * POINTS;

/**
 * Writes the folder of a run with as many results and samples as wanted, as a fleet of ten devices
 * would have recorded it: clock, start, phases and usage, some failures and marks. The same options
 * give the same files, and memory is bounded but for the plan.
 */
export async function writeLargeRun(
  dataFolder: string,
  { results, samples }: LargeRunOptions,
): Promise<LargeRun> {
  const repetitions = Math.max(1, Math.ceil(results / RESULTS_PER_REPETITION));
  const options = { agentsPerHost: AGENTS_PER_HOST, failureRate: 0.01, invalidRate: 0.01 };
  const { run, plan } = makeRun({ ...options, repetitions: 1 });
  const runId = 'large-20261123-090000-0000';
  const folder = RunFolder.of(dataFolder, runId);
  await mkdir(folder.folder, { recursive: true });
  const file = createWriteStream(folder.path('results.ndjson'));
  const trials: PlannedTrial[] = [];
  for (let done = 0; done < repetitions; done += REPETITIONS_PER_BLOCK) {
    const count = Math.min(REPETITIONS_PER_BLOCK, repetitions - done);
    const block = makeRun({ ...options, seed: done + 1, repetitions: count });
    const first = done * CELLS;
    for (const trial of block.plan.trials) {
      const position = first + trial.position;
      const trialId = trialIdAt(position);
      trials.push({ ...trial, trialId, position, repetition: done + trial.repetition });
    }
    const lines = block.results.map((result) => {
      const trialId = trialIdAt(first + Number(result.trialId.slice(1)));
      return `${JSON.stringify(TrialResult.encode({ ...result, runId, trialId }))}\n`;
    });
    if (!file.write(lines.join(''))) await once(file, 'drain');
  }
  file.end();
  await once(file, 'close');
  await folder.writePlan({ ...plan, trials });
  const experiment = { ...run.experiment, repetitions };
  const counts = { trialsPlanned: trials.length, trialsDone: trials.length };
  await folder.writeRun({ ...run, runId, experiment, ...counts });
  if (samples > 0) await writeSamples(folder.path('samples.parquet'), samples);
  return {
    folder: folder.folder,
    runId,
    trials: trials.length,
    results: repetitions * RESULTS_PER_REPETITION,
  };
}

function trialIdAt(position: number): string {
  return `t${String(position).padStart(7, '0')}`;
}

/** Twenty points of five metrics for each result, 10 ms apart, in the order of the file. */
async function writeSamples(path: string, samples: number): Promise<void> {
  const database = await openDatabase({ memoryMb: 512 });
  const choose = (part: 0 | 1 | 2): string =>
    `[${METRICS.map((metric) => sqlText(metric[part])).join(', ')}][1 + metric]`;
  try {
    const connection = await database.connect();
    await connection.run(
      `COPY (
         WITH numbered AS (
           SELECT i // ${SAMPLES_PER_RESULT} AS result, i % ${POINTS} AS point,
             ((i % ${SAMPLES_PER_RESULT}) // ${POINTS})::INTEGER AS metric
           FROM range(${samples}) numbers(i))
         SELECT 't' || lpad((result // ${DEVICES})::VARCHAR, 7, '0') AS trial,
           1::BIGINT AS attempt, 'agent-' || (1 + result % ${DEVICES}) AS device,
           CASE WHEN metric < 3 THEN 0 END::INTEGER AS instance,
           ${choose(0)} AS source, ${choose(1)} AS metric, NULL::VARCHAR AS attributes,
           ${choose(2)} AS unit,
           (1000000000000 + (result // ${DEVICES}) * 2000000000 + point * 10000000
             + (hash(result, point) % 100000)::BIGINT)::BIGINT AS atMonoNs,
           (1000 * point + (hash(result, metric, point) % 1000)::BIGINT)::DOUBLE AS value
         FROM numbered)
       TO ${sqlText(path)} (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE 122880)`,
    );
  } finally {
    database.close();
  }
}
