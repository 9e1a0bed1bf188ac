import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import { pino } from 'pino';
import { RunnerClient } from '../../../agent/runner/client.ts';
import { detectIsolation, isolationCommand } from '../../../agent/runner/namespaces.ts';
import type { RunnerResult } from '../../../agent/runner/protocol.ts';
import { detectRealTime } from '../../../agent/runner/real-time.ts';
import { ArtefactCache } from '../../../bus/artefact-cache.ts';
import type { MeasureName, Measurement } from '../../../schemas/measurement.ts';
import type { Procedure } from '../../../schemas/procedure.ts';
import type { SandboxName } from '../../../schemas/sandbox.ts';

const CALL_TIMEOUT_MS = 120_000;
const FUNCTION = 'hello-go';
const CHECKOUT = join(import.meta.dirname, '../../..');

/** What came out of a trial. */
export type Outcome = RunnerResult<'start'>;

/** A runner in its namespaces, as the agent starts it, with the load generator among its tools. */
export interface LoadStage {
  readonly runner: RunnerClient;
  /** Processes on this machine that are the load generator of the stage. */
  readonly generators: () => string[];
  /** Arms one sandbox of this kind and starts it. */
  readonly run: (sandbox: SandboxName, parameters: Procedure) => Promise<Outcome>;
  /** Arms without starting. Returns the id of the trial. */
  readonly arm: (sandbox: SandboxName, parameters: Procedure) => Promise<string>;
}

/** Starts a runner for a test; undefined, and the test is told why, if that is not possible. */
export async function loadStage(
  t: ExecutionContext,
  sandbox: SandboxName,
  limits = { memoryMib: 256, cpus: 1 },
): Promise<LoadStage | undefined> {
  const folder = process.env['LOCKSTEP_CACHE'] ?? join(CHECKOUT, '.lockstep/cache');
  const cache = new ArtefactCache(folder);
  const names = await cache.names();
  const { [FUNCTION]: functionDigest, 'load-generator': toolDigest } = names;
  if (functionDigest === undefined || toolDigest === undefined) return skipped(t, 'npm run setup');
  const isolation = await detectIsolation();
  if (isolation.mode === 'none') return skipped(t, isolation.failure.message);
  const { mode } = isolation;
  const scratchFolder = await mkdtemp(join(tmpdir(), 'lockstep-load-'));
  t.teardown(() => rm(scratchFolder, { recursive: true, force: true }));
  const realTime = await detectRealTime((command) =>
    isolationCommand({ scratchFolder, mode, command }),
  );
  const runner = await RunnerClient.start({
    scratchFolder,
    isolation: mode,
    realTime: realTime.words,
    logger: pino({ level: 'warn' }, pino.destination({ fd: 2, sync: true })),
  });
  t.teardown(() => runner.close());
  // Of its own, so that its processes are told from those of other tests.
  const toolFolder = await mkdtemp(join(tmpdir(), 'lockstep-load-tool-'));
  t.teardown(() => rm(toolFolder, { recursive: true, force: true }));
  await cp(await cache.assemble(toolDigest), toolFolder, { recursive: true });
  const cgroupName = `load-${process.pid}-${sandbox}`;
  const functionRoot = {
    manifest: await cache.readManifest(functionDigest),
    digest: functionDigest,
    folder: await cache.assemble(functionDigest),
  };
  const tools = { 'load-generator': toolFolder };
  const setUp = { cgroupName, scratchFolder, functions: [functionRoot], limits, tools };
  await runner.call('setUp', setUp, CALL_TIMEOUT_MS);
  const probed = await runner.call('probe', { sandbox, timeoutMs: 20_000 }, CALL_TIMEOUT_MS);
  if (!probed.available) return skipped(t, probed.failure.message);
  return {
    ...trialsOf(runner),
    runner,
    generators: () => processesWith(toolFolder),
  };
}

/** Tells why nothing is tested here. */
function skipped(t: ExecutionContext, reason: string): LoadStage | undefined {
  t.log(`skipped: ${reason}`);
  t.pass();
  return undefined;
}

function trialsOf(runner: RunnerClient): Pick<LoadStage, 'run' | 'arm'> {
  let trials = 0;
  const arm: LoadStage['arm'] = async (sandbox, parameters) => {
    trials += 1;
    const trialId = `trial-${trials}`;
    const cell = { id: sandbox, sandbox, function: FUNCTION, instances: 1 };
    const armed = { trialId, cell, parameters, seed: 7, isSampled: false };
    await runner.call('arm', armed, CALL_TIMEOUT_MS);
    return trialId;
  };
  return {
    arm,
    run: async (sandbox, parameters) => {
      const trialId = await arm(sandbox, parameters);
      const targetMonoNs = process.hrtime.bigint() + 20_000_000n;
      return runner.call('start', { trialId, targetMonoNs }, CALL_TIMEOUT_MS);
    },
  };
}

/** Processes whose command line has this text in it. */
function processesWith(text: string): string[] {
  return readdirSync('/proc').filter((name) => {
    if (!/^\d+$/.test(name) || !existsSync(`/proc/${name}`)) return false;
    try {
      return readFileSync(`/proc/${name}/cmdline`, 'utf8').includes(text);
    } catch {
      return false;
    }
  });
}

/** The figures of a measure, of those labels. */
export function figures(
  outcome: Outcome,
  measure: MeasureName,
  labels: Measurement['labels'] = {},
): number[] {
  return (outcome.measurements ?? [])
    .filter((one) => one.measure === measure)
    .filter((one) =>
      Object.entries(labels).every(
        ([name, value]) => one.labels?.[name as keyof typeof one.labels] === value,
      ),
    )
    .map(({ value }) => value);
}
