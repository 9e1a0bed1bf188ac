import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { isolationCommand, detectIsolation } from '../../agent/runner/namespaces.ts';
import { ArtefactCache } from '../../bus/artefact-cache.ts';
import type { Benchmark, BenchmarkContext, BenchmarkResult } from './benchmark.ts';
import type { LoadRow } from './load/main.ts';

const COLUMNS = [
  ...['path', 'connections', 'tool', 'threads', 'requestsPerSecond', 'cpuUsPerRequest'],
  ...['p50Us', 'p99Us', 'runs'],
];
const NOTES = [
  'Server: the null server of the load generator with 15-byte answers, on the same processors; ' +
    'closed loop, HTTP/1.1 with keep-alive. Each figure is the median of its runs; the tools ' +
    'take turns. cpuUsPerRequest: CPU time of the tool alone, user and system.',
  'loopback: within one network namespace. veth: to a slot, as in a trial. wrk: if it is ' +
    'installed; its threads are as many as ours.',
];
const TIMEOUT_MS = 600_000;

/** How many connections, for how long and how often. */
export interface LoadBenchPlan {
  readonly connections: readonly number[];
  readonly durationMs: number;
  readonly runs: number;
}

const FULL: LoadBenchPlan = { connections: [1, 8, 64, 512], durationMs: 2000, runs: 7 };
const QUICK: LoadBenchPlan = { connections: [1, 8, 64, 512], durationMs: 1000, runs: 1 };

/** The load generator against a server that does nothing. */
export const loadBenchmark: Benchmark = {
  name: 'load',
  description: 'What does the load generator reach by itself, and beside wrk?',
  run: (context) => measureCeilings(context, context.full ? FULL : QUICK),
};

/** Measures in namespaces of their own. What this machine can't run is left out with a note. */
export async function measureCeilings(
  { log }: Pick<BenchmarkContext, 'log'>,
  plan: LoadBenchPlan,
): Promise<BenchmarkResult> {
  const folder =
    process.env['LOCKSTEP_CACHE'] ?? join(import.meta.dirname, '../../.lockstep/cache');
  const cache = new ArtefactCache(folder);
  const digest = (await cache.names())['load-generator'];
  if (digest === undefined) return skipped('it is not built; npm run setup');
  const isolation = await detectIsolation();
  if (isolation.mode === 'none') return skipped(isolation.failure.message);
  const scratchFolder = await mkdtemp(join(tmpdir(), 'lockstep-bench-load-'));
  try {
    const setUp = { ...plan, scratchFolder, toolFolder: await cache.assemble(digest) };
    const program = join(import.meta.dirname, 'load', 'main.ts');
    const [outer = '', ...words] = isolationCommand({
      scratchFolder,
      mode: isolation.mode,
      command: [process.execPath, program, JSON.stringify(setUp)],
    });
    log(
      `${plan.connections.join(', ')} connections, ${plan.runs} times ${plan.durationMs} ms each`,
    );
    const { stdout } = await promisify(execFile)(outer, words, { timeout: TIMEOUT_MS });
    const rows = JSON.parse(stdout) as LoadRow[];
    return { columns: COLUMNS, rows: rows.map(toCells), notes: NOTES };
  } finally {
    await rm(scratchFolder, { recursive: true, force: true });
  }
}

function toCells(row: LoadRow): (string | number | undefined)[] {
  return [
    ...[row.path, row.connections, row.tool, row.threads, Math.round(row.requestsPerSecond)],
    ...[row.cpuUsPerRequest, row.p50Us, row.p99Us, row.runs],
  ];
}

function skipped(reason: string): BenchmarkResult {
  return { columns: COLUMNS, rows: [], notes: [`nothing was measured: ${reason}`] };
}
