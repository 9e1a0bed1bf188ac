import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, stat, statfs } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { COMPACT_FLAGS } from '../../coordinator/store/compact-run.ts';
import { writeLargeRun } from '../support/large-run.ts';
import type { Benchmark, BenchmarkResult, BenchmarkValue } from './benchmark.ts';
import { interruptible } from './interruptible.ts';

const STEP = fileURLToPath(new URL('store/main.ts', import.meta.url));
const STEPS = [
  'write',
  'verify',
  'read',
  'report',
  'csv',
  'query results',
  'query samples',
  'summarise samples',
  'samples of 10 trials',
] as const;

const QUICK = { results: 4000, samples: 400_000 };
const FULL = { results: 1_000_000, samples: 100_000_000 };

/** What a result and a sample take on disk at most, with what is put aside on the way, bytes. */
const RESULT_BYTES = 6000;
const SAMPLE_BYTES = 20;

const STEP_TIMEOUT_MS = 1_800_000;

/** What a large run costs: its Parquet files, its report, queries. */
export const storeBenchmark: Benchmark = {
  name: 'store',
  description: 'What does it take to write, read, report and query a large run?',
  async run({ full, log }) {
    const sizes = full ? FULL : QUICK;
    const folder = await mkdtemp(join(tmpdir(), 'lockstep-store-'));
    let measured: BenchmarkResult | undefined;
    try {
      await interruptible(async (signal) => {
        measured = await measure(folder, sizes, { log, signal });
      });
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
    return measured ?? { columns: [], rows: [], notes: ['It was interrupted.'] };
  },
};

async function measure(
  folder: string,
  sizes: typeof QUICK,
  { log, signal }: { log: (line: string) => void; signal: AbortSignal },
): Promise<BenchmarkResult> {
  const needed = sizes.results * RESULT_BYTES + sizes.samples * SAMPLE_BYTES;
  const { bavail, bsize } = await statfs(folder);
  if (bavail * bsize < needed) {
    return { columns: [], rows: [], notes: [`${folder} has less than ${needed} bytes free.`] };
  }
  log(`writing a run of ${sizes.results} results and ${sizes.samples} samples`);
  const run = await writeLargeRun(folder, sizes);
  const rows: BenchmarkValue[][] = [];
  for (const step of STEPS) {
    signal.throwIfAborted();
    log(step);
    rows.push([step, ...(await runStep(step, folder, run.folder, signal))]);
  }
  const notes = ['Each step in a process of its own; its time is without the start of that.'];
  for (const name of ['results.ndjson', 'results', 'instances', 'samples']) {
    const path = join(run.folder, name.includes('.') ? name : `${name}.parquet`);
    if (existsSync(path)) notes.push(`${name}: ${((await stat(path)).size / 1e6).toFixed(1)} MB`);
  }
  return { columns: ['step', 'count', 'elapsedMs', 'cpuMs', 'peakMb'], rows, notes };
}

async function runStep(
  step: string,
  dataFolder: string,
  folder: string,
  signal: AbortSignal,
): Promise<BenchmarkValue[]> {
  const flags = step === 'write' ? COMPACT_FLAGS : [];
  const { stdout } = await promisify(execFile)(
    process.execPath,
    [...flags, STEP, step, dataFolder, folder],
    { signal, timeout: STEP_TIMEOUT_MS },
  );
  const said = JSON.parse(stdout) as Record<string, number>;
  return ['count', 'elapsedMs', 'cpuMs', 'peakMb'].map((name) => said[name]);
}
