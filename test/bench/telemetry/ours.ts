import { readdirSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { pino } from 'pino';
import type { SandboxTarget } from '../../../agent/collectors/collector.ts';
import { SamplerClient } from '../../../agent/sampler/client.ts';
import type { SampleOrder } from '../../../agent/sampler/protocol.ts';
import type { SourceName } from '../../../schemas/telemetry-names.ts';
import { busyPercentSince, readCpuNs, readMachineTicks } from './process-cpu.ts';
import type { SamplingRound } from './rows.ts';

/** Control groups, network and the kernel's own counters: what a trial of a container samples. */
const SOURCES = [
  ...['cgroup-cpu', 'cgroup-memory', 'cgroup-memory-stat', 'cgroup-io', 'cgroup-pids'],
  ...['cgroup-pressure', 'sandbox-network'],
  ...['host-cpu', 'host-memory', 'host-disk', 'host-network', 'host-pressure'],
] as SourceName[];

const TRIAL = { runId: 'bench', trialId: 't1', attempt: 1, deviceId: 'this-machine' };
const FIRST_RATE_HZ = 1000;

/** The samplers that are compared. */
export const SAMPLERS = [
  { what: 'lockstep', entry: undefined },
  {
    what: 'lockstep without limits',
    entry: join(import.meta.dirname, 'unlimited/main.ts'),
  },
] as const;

/** Starts a sampler off a processor. */
export function startSampler(
  entry: string | undefined,
  measuredCpus: readonly number[],
): Promise<SamplerClient> {
  return SamplerClient.start({
    logger: pino({ level: 'warn' }, pino.destination(2)),
    measuredCpus,
    ...(entry === undefined ? {} : { entry }),
  });
}

/** What is sampled in all measurements. */
export function orderOf(rateHz: number, target: SandboxTarget | undefined): SampleOrder {
  const sandboxes = target === undefined ? [] : [target];
  return { trial: TRIAL, rateHz, sources: SOURCES, sandboxes, exportAs: {} };
}

/** Samples for a while without measuring, so that programs are compiled and memory is there. */
export async function warmUp(
  sampler: SamplerClient,
  target: SandboxTarget | undefined,
  seconds: number,
): Promise<void> {
  await sampler.open(orderOf(FIRST_RATE_HZ, target));
  await sampler.begin();
  await delay(seconds * 1e3);
  await sampler.end([], 0n);
}

/** Samples for a while, and reads what that costs. */
export async function measureSampler(
  sampler: SamplerClient,
  order: SampleOrder,
  seconds: number,
): Promise<SamplingRound> {
  const pid = sampler.processId ?? 0;
  await sampler.open(order);
  await sampler.begin();
  const [ticks, startCpuNs, startNs] = [
    readMachineTicks(),
    readCpuNs(pid),
    process.hrtime.bigint(),
  ];
  await delay(seconds * 1e3);
  const cpuNs = readCpuNs(pid) - startCpuNs;
  const wallSeconds = Number(process.hrtime.bigint() - startNs) / 1e9;
  const busyPercent = busyPercentSince(ticks);
  const files = countOpenCounters(pid);
  const beforeEndNs = readCpuNs(pid);
  const { report } = await sampler.end([], 0n);
  const afterCpuNs = readCpuNs(pid) - beforeEndNs;
  return {
    ...{ seconds: wallSeconds, samples: report.achievedHz * wallSeconds },
    ...{ cpuNs, afterCpuNs, busyPercent },
    loop: {
      ...{ files, achievedHz: report.achievedHz, rounds: report.rounds, missed: report.missed },
      latenessP50Us: Number(report.latenessP50Ns) / 1e3,
      latenessP99Us: Number(report.latenessP99Ns) / 1e3,
    },
  };
}

/** Files of the kernel that a process has open. */
function countOpenCounters(pid: number): number {
  const folder = `/proc/${pid}/fd`;
  return readdirSync(folder).filter((name) => {
    try {
      return /^\/(proc|sys)\//.test(readlinkSync(join(folder, name)));
    } catch {
      return false;
    }
  }).length;
}
