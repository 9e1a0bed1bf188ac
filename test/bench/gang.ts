import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { quantile } from '../../coordinator/analysis/quantile.ts';
import { Home } from '../../coordinator/cli/home.ts';
import { RunFolder } from '../../coordinator/recording/run-folder.ts';
import type { LedgerEvent } from '../../schemas/run.ts';
import { TestHome } from '../support/stack.ts';
import type { Benchmark, BenchmarkContext, BenchmarkResult, BenchmarkValue } from './benchmark.ts';
import { interruptible } from './interruptible.ts';

const AGENTS_FULL = [8, 32, 64] as const;
const AGENTS_QUICK = [4] as const;
const TRIALS_FULL = 60;
const TRIALS_QUICK = 10;
const LIMIT_MS = 900_000;
const COLUMNS = [
  ...['agents', 'trials', 'lost', 'notOk', 'trialP50Ms', 'trialP95Ms', 'trialMaxMs'],
  ...['armP50Ms', 'goP50Ms', 'boundP50Us', 'boundMaxUs'],
];
const NOTES = [
  'Real agents as processes, each with its measuring process, all on this machine; no-op trials. ' +
    'trial: from the end of the one before to all results on disk. The first is not counted.',
  'lost: results that are missing. notOk: results that failed or carry a mark. arm: to the last ' +
    'device armed. go: until every device has acknowledged it.',
];

/** What a trial of many real agents costs. */
export const gangBenchmark: Benchmark = {
  name: 'gang',
  description: 'How long does a trial of many agents take from arm to all results recorded?',
  run: async ({ full, log }: BenchmarkContext) => {
    const rows: BenchmarkValue[][] = [];
    await interruptible(async (signal) => {
      for (const agents of full ? AGENTS_FULL : AGENTS_QUICK) {
        signal.throwIfAborted();
        log(`${agents} agents`);
        rows.push(await measure(agents, full ? TRIALS_FULL : TRIALS_QUICK, signal));
      }
    });
    return { columns: COLUMNS, rows, notes: NOTES } satisfies BenchmarkResult;
  },
};

async function measure(
  agents: number,
  trials: number,
  signal: AbortSignal,
): Promise<BenchmarkValue[]> {
  const folder = await mkdtemp(join(tmpdir(), 'lockstep-bench-gang-'));
  await using cleanUp = new AsyncDisposableStack();
  cleanUp.defer(() => rm(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 }));
  const stack = new TestHome(folder, {}, LIMIT_MS);
  cleanUp.defer(() => stack.end());
  const experiment = join(folder, 'gang.yaml');
  await writeFile(
    experiment,
    `experiment: gang
question: What does a trial cost?
procedure: { kind: no-op }
factors: { sandbox: [process], function: [hello-go] }
repetitions: ${trials + 1}
budget: { latenessMs: 1000, clockBoundMs: 50 }
`,
  );
  const words = ['--agents', String(agents), '--sandboxes', 'process', '--experiment', experiment];
  const running = stack.start('quickstart', ...words);
  signal.addEventListener('abort', () => running.child.kill('SIGTERM'), { once: true });
  const { code, stderr } = await running.ended;
  if (code !== 0) throw new Error(`the run ended with code ${code ?? '?'}: ${stderr.slice(-2000)}`);
  const [runId = ''] = await RunFolder.list(new Home(folder).folder);
  const run = RunFolder.of(folder, runId);
  const results = await run.readResults();
  const bounds = results
    .map(({ clock }) => Number(clock?.boundNs))
    .filter((boundNs) => !Number.isNaN(boundNs));
  const bad = results.filter(({ status, invalid }) => status === 'failed' || invalid.length > 0);
  const { armMs, goMs, trialMs } = timesOf(await run.readEvents());
  return [
    ...[agents, trialMs.length, agents * (trials + 1) - results.length, bad.length],
    ...[quantile(trialMs, 0.5), quantile(trialMs, 0.95), quantile(trialMs, 1)],
    ...[quantile(armMs, 0.5), quantile(goMs, 0.5)],
    ...[quantile(bounds, 0.5), quantile(bounds, 1)].map((valueNs) =>
      valueNs === undefined ? undefined : valueNs / 1000,
    ),
  ];
}

interface Times {
  readonly armMs: number[];
  readonly goMs: number[];
  readonly trialMs: number[];
}

/** Times between the events of each trial but the first, ms. */
function timesOf(events: readonly LedgerEvent[]): Times {
  const times: Times = { armMs: [], goMs: [], trialMs: [] };
  let doneAtMs: number | undefined;
  let armedAtMs = 0;
  for (const { event, atUtcMs } of events) {
    if (event === 'done') {
      if (doneAtMs !== undefined) times.trialMs.push(atUtcMs - doneAtMs);
      doneAtMs = atUtcMs;
    }
    if (doneAtMs === undefined) continue;
    if (event === 'armed') {
      times.armMs.push(atUtcMs - doneAtMs);
      armedAtMs = atUtcMs;
    }
    if (event === 'gone') times.goMs.push(atUtcMs - armedAtMs);
  }
  return times;
}
