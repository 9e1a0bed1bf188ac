import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { RunnerClient } from '../../agent/runner/client.ts';
import { detectIsolation, isolationCommand } from '../../agent/runner/namespaces.ts';
import type { IsolationMode } from '../../agent/runner/namespaces.ts';
import { detectRealTime } from '../../agent/runner/real-time.ts';
import { READY_PORT } from '../../agent/runner/ready-listener.ts';
import { Cgroups } from '../../agent/sandboxes/cgroup.ts';
import { neutralEnvironment } from '../../agent/sandboxes/command.ts';
import { FUNCTION_PORT, functionCommandLine } from '../../agent/sandboxes/function-root.ts';
import type { FunctionRoot } from '../../agent/sandboxes/function-root.ts';
import { planSlot } from '../../agent/sandboxes/network.ts';
import { ociConfig } from '../../agent/sandboxes/oci-bundle.ts';
import { ArtefactCache } from '../../bus/artefact-cache.ts';
import { quantileInterval } from '../../coordinator/analysis/statistics/quantile-interval.ts';
import { spanNs } from '../../coordinator/analysis/metrics.ts';
import { median } from '../../coordinator/analysis/quantile.ts';
import { BareClient } from './bare-client.ts';
import type { BareSetUp } from './bare-client.ts';
import type { Benchmark, BenchmarkContext, BenchmarkResult, BenchmarkValue } from './benchmark.ts';
import { interruptible } from './interruptible.ts';

const SANDBOXES = ['process', 'runc'] as const;
type ComparedSandbox = (typeof SANDBOXES)[number];

const FUNCTION_NAME = 'hello-go';
const LIMITS = { memoryMib: 512, cpus: 1 };
const PAIRS_FULL = 250;
const PAIRS_QUICK = 5;
const WITHIN_MS = 2;
const LEAD_NS = 20_000_000n;
const READY_TIMEOUT_MS = 10_000;
const CALL_TIMEOUT_MS = 60_000;
const COLUMNS = [
  ...['sandbox', 'pairs', 'oursMedianMs', 'bareMedianMs', 'differenceMs'],
  ...['pairedMedianMs', 'pairedLowMs', 'pairedHighMs', 'within2Ms'],
];
const NOTES = [
  `${FUNCTION_NAME}; request to first byte of the first response; ours and bare take turns in ` +
    'going first; one pair before the first is not counted.',
  'differenceMs: median of ours minus median of bare. pairedLowMs to pairedHighMs: 95 % interval ' +
    'of the median of the differences within pairs; absent below 6 pairs.',
  "process: the bare script stands in one cgroup with the same limits, so the start's join is " +
    'untimed on both sides; its own Node is in that cgroup too. runc: the same config.json.',
  'The bare script forks its Node and enters the network namespace in the timed part and resets ' +
    'no inherited limits; ours did so before, behind the gate, and spins 2 ms before its instant.',
];

/** The agent's measuring process against a script that does nothing else. */
export const coldStartBenchmark: Benchmark = {
  name: 'cold-start',
  description: 'Does the measuring process see the same cold start as a bare script?',
  run: (context) => compareColdStarts(context, context.full ? PAIRS_FULL : PAIRS_QUICK),
};

/**
 * Compares over a number of pairs. What this machine can't run is left out, and a note says why.
 */
export async function compareColdStarts(
  { log }: Pick<BenchmarkContext, 'log'>,
  pairs: number,
): Promise<BenchmarkResult> {
  const functionRoot = await findFunction();
  if (functionRoot === undefined) {
    return skipped(`${FUNCTION_NAME} is not in the cache; npm run setup builds it`);
  }
  const isolation = await detectIsolation();
  if (isolation.mode === 'none') return skipped(isolation.failure.message);
  const { mode } = isolation;
  const rows: BenchmarkValue[][] = [];
  const notes = [...NOTES];
  await interruptible(async (signal) => {
    for (const sandbox of SANDBOXES) {
      log(`${sandbox}: ${pairs} pairs`);
      const found = await compare({ sandbox, functionRoot, mode, pairs, signal });
      if (typeof found === 'string') notes.push(`${sandbox} was not measured: ${found}`);
      else rows.push(rowOf(sandbox, found));
    }
  });
  return { columns: COLUMNS, rows, notes };
}

interface Comparison {
  readonly sandbox: ComparedSandbox;
  readonly functionRoot: FunctionRoot;
  readonly mode: IsolationMode;
  readonly pairs: number;
  readonly signal: AbortSignal;
}

interface Pair {
  readonly oursMs: number;
  readonly bareMs: number;
}

async function findFunction(): Promise<FunctionRoot | undefined> {
  const folder =
    process.env['LOCKSTEP_CACHE'] ?? join(import.meta.dirname, '../../.lockstep/cache');
  const cache = new ArtefactCache(folder);
  const digest = (await cache.names())[FUNCTION_NAME];
  if (digest === undefined) return undefined;
  const manifest = await cache.readManifest(digest);
  return { manifest, digest, folder: await cache.assemble(digest) };
}

function skipped(reason: string): BenchmarkResult {
  return { columns: COLUMNS, rows: [], notes: [`nothing was measured: ${reason}`] };
}

/** Returns the pairs, or why this sandbox can't be measured here. */
async function compare(comparison: Comparison): Promise<Pair[] | string> {
  const { sandbox, signal } = comparison;
  const folder = await mkdtemp(join(tmpdir(), 'lockstep-bench-'));
  const cgroupName = `bench-${process.pid}`;
  await using cleanUp = new AsyncDisposableStack();
  cleanUp.defer(() => rm(folder, { recursive: true, force: true }));
  cleanUp.defer(() => removeCgroups(cgroupName));
  const scratchFolder = join(folder, 'ours');
  await mkdir(scratchFolder);
  const realTime = await detectRealTime((command) =>
    isolationCommand({ scratchFolder, mode: comparison.mode, command }),
  );
  const runner = await RunnerClient.start({
    scratchFolder,
    isolation: comparison.mode,
    realTime: realTime.words,
    logger: pino({ level: 'warn' }, pino.destination({ fd: 2, sync: true })),
  });
  cleanUp.defer(() => runner.close());
  const setUp = {
    cgroupName,
    scratchFolder,
    functions: [comparison.functionRoot],
    limits: LIMITS,
  };
  await runner.call('setUp', setUp, CALL_TIMEOUT_MS);
  const probe = { sandbox, timeoutMs: READY_TIMEOUT_MS };
  const found = await runner.call('probe', probe, CALL_TIMEOUT_MS);
  if (!found.available) return found.failure.message;
  signal.throwIfAborted();

  const bareId = `${cgroupName}-bare`;
  cleanUp.defer(() => removeCgroups(bareId));
  const bareFolder = join(folder, 'bare');
  await mkdir(bareFolder);
  const bareSetUp = await describeBare(comparison, bareId, bareFolder);
  const bare = await BareClient.start(bareFolder, comparison.mode, bareSetUp);
  cleanUp.defer(() => bare.close());
  return await measurePairs(comparison, runner, bare);
}

async function measurePairs(
  { sandbox, pairs, signal }: Comparison,
  runner: RunnerClient,
  bare: BareClient,
): Promise<Pair[]> {
  const measured: Pair[] = [];
  for (let index = 0; index <= pairs; index += 1) {
    const ours = (): Promise<number> => coldStartOfOurs(runner, sandbox, `pair-${index}`);
    const theirs = async (): Promise<number> => Number(await bare.coldStartNs()) / 1e6;
    const oursFirst = index % 2 === 0;
    const first = await (oursFirst ? ours() : theirs());
    signal.throwIfAborted();
    const second = await (oursFirst ? theirs() : ours());
    signal.throwIfAborted();
    // The first pair warms up.
    if (index === 0) continue;
    const [oursMs, bareMs] = oursFirst ? [first, second] : [second, first];
    measured.push({ oursMs, bareMs });
  }
  return measured;
}

async function coldStartOfOurs(
  runner: RunnerClient,
  sandbox: ComparedSandbox,
  trialId: string,
): Promise<number> {
  const cell = { id: sandbox, sandbox, function: FUNCTION_NAME, instances: 1 };
  const arm = {
    ...{ trialId, cell, seed: 0, isSampled: false },
    parameters: { kind: 'cold-start', readyTimeoutMs: READY_TIMEOUT_MS } as const,
  };
  await runner.call('arm', arm, CALL_TIMEOUT_MS);
  const targetMonoNs = process.hrtime.bigint() + LEAD_NS;
  const { instances, leftovers } = await runner.call(
    'start',
    { trialId, targetMonoNs },
    CALL_TIMEOUT_MS,
  );
  const [instance] = instances;
  const elapsedNs = instance && spanNs(instance.phases, 'request', 'firstByte');
  if (instance?.status !== 'ok' || elapsedNs === undefined || leftovers.length > 0) {
    const reason = instance?.failure?.message ?? leftovers.join('; ');
    throw new Error(`a cold start of ours in ${sandbox} failed: ${reason}`);
  }
  return elapsedNs / 1e6;
}

async function describeBare(
  { sandbox, functionRoot }: Comparison,
  cgroupName: string,
  scratchFolder: string,
): Promise<BareSetUp> {
  const id = `s0-${sandbox}`;
  const slot = planSlot(0, 'veth', scratchFolder);
  const spec = { functionRoot, slot, readyPort: READY_PORT };
  const common = { slot, readyPort: READY_PORT, functionPort: FUNCTION_PORT };
  const cgroups = await Cgroups.open({ cgroupName });
  if (sandbox === 'process') {
    await cgroups.create(id, LIMITS);
    const command = functionCommandLine(spec, functionRoot.folder);
    return { ...common, command, env: neutralEnvironment, joinFiles: cgroups.joinFiles(id) };
  }
  const cgroupsPath = cgroups.ociPath(id);
  const config = ociConfig({
    id,
    rootFolder: functionRoot.folder,
    command: functionCommandLine(spec, ''),
    limits: LIMITS,
    limitsSwap: cgroups.limitsSwap,
    ...(cgroupsPath === undefined ? {} : { cgroupsPath }),
  });
  const bundle = join(scratchFolder, 'bundle');
  const runc = ['runc', '--root', join(scratchFolder, 'runc')];
  return {
    ...common,
    command: [...runc, 'run', '-d', '-b', bundle, id],
    env: neutralEnvironment,
    joinFiles: [],
    container: {
      bundle,
      config: JSON.stringify(config),
      remove: [...runc, 'delete', '--force', id],
    },
  };
}

async function removeCgroups(cgroupName: string): Promise<void> {
  const leftovers = await (await Cgroups.open({ cgroupName })).removeAll();
  if (leftovers.length > 0) throw new Error(`left over: ${leftovers.join('; ')}`);
}

function rowOf(sandbox: string, pairs: readonly Pair[]): BenchmarkValue[] {
  const ours = median(pairs.map(({ oursMs }) => oursMs));
  const bare = median(pairs.map(({ bareMs }) => bareMs));
  if (ours === undefined || bare === undefined) return [sandbox, pairs.length];
  const paired = pairs.map(({ oursMs, bareMs }) => oursMs - bareMs);
  const interval = quantileInterval(paired, 0.5);
  const difference = ours - bare;
  const verdict = Math.abs(difference) <= WITHIN_MS ? 'yes' : 'no';
  return [
    ...[sandbox, pairs.length, ours, bare, difference],
    ...[median(paired), interval?.lower, interval?.upper, verdict],
  ];
}
