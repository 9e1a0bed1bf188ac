import type { Logger } from 'pino';
import type { DeviceFacts } from '../../schemas/device.ts';
import { fromFailure, toFailure } from '../../schemas/failure.ts';
import type { Failure } from '../../schemas/failure.ts';
import { PROTOCOL_VERSION } from '../../schemas/protocol.ts';
import type { SandboxAvailability, SandboxName } from '../../schemas/sandbox.ts';
import type { SelftestEvent, SelftestReport, SelftestSandbox } from '../../schemas/selftest.ts';
import { VERSION } from '../../schemas/version.ts';
import type { Clock } from '../clock/clock.ts';
import { readDeviceFacts } from '../facts/device-facts.ts';
import { withGuestBoot } from '../facts/virtualisation.ts';
import { detectIsolation, isolationCommand } from '../runner/namespaces.ts';
import type { Isolation } from '../runner/namespaces.ts';
import { detectRealTime } from '../runner/real-time.ts';
import type { RealTime } from '../runner/real-time.ts';
import { readSchedulingClass } from '../runner/scheduling-class.ts';
import { Cgroups } from '../sandboxes/cgroup.ts';
import { tryContract } from './contract.ts';
import { Forecast } from './forecast.ts';
import { removeAbandonedPlaces, withPlace } from './place.ts';
import type { Place } from './place.ts';
import { runTrials } from './trials.ts';

/** What people set about a self-test. */
export interface SelftestSettings {
  /** Folder of the artefacts that the set-up built. */
  readonly cacheFolder: string;
  readonly sandboxes: readonly SandboxName[];
  /** Time for the trials in all kinds together, s. */
  readonly seconds: number;
}

/** What a self-test runs on. */
export interface SelftestPorts {
  readonly clock: Clock;
  readonly logger: Logger;
  /** Aborts when it is to end early; nothing is left then either. */
  readonly signal: AbortSignal;
  /** Told how far it is. */
  readonly tell: (event: SelftestEvent) => void;
}

type Available = Extract<SandboxAvailability, { available: true }>;

/** What was found out about the device before the first sandbox. */
interface Ground {
  readonly place: Place;
  readonly device: DeviceFacts;
  readonly cgroupReason: string | undefined;
  readonly isolation: Isolation;
  readonly realTime: RealTime;
}

/**
 * Tries on this device whether the driver of each kind of sandbox keeps the contract, then runs
 * trials in those that are there. Needs no coordinator. What a self-test has left that was killed
 * is removed first.
 *
 * @throws LockstepError if the artefacts or the disk are damaged, and the reason of the signal once
 * it aborts.
 */
export async function runSelftest(
  settings: SelftestSettings,
  ports: SelftestPorts,
): Promise<SelftestReport> {
  const startedAtUtcMs = Number(ports.clock.utcNs() / 1_000_000n);
  const beginMs = performance.now();
  await removeAbandonedPlaces();
  return withPlace(settings.cacheFolder, async (place) => {
    const ground = await explore(place);
    const sandboxes = await testAll(settings, ports, ground);
    const { cgroupReason, device, isolation, realTime } = ground;
    return {
      protocol: PROTOCOL_VERSION,
      lockstepVersion: VERSION,
      startedAtUtcMs,
      durationMs: performance.now() - beginMs,
      secondsOfTrials: settings.seconds,
      device: withGuestBoot(device, sandboxes.flatMap(availabilityOf)),
      isolation: isolation.mode,
      schedulingClass: realTime.schedulingClass,
      ...(cgroupReason === undefined ? {} : { cgroupReason: cgroupReason.slice(0, 512) }),
      result: resultOf(sandboxes),
      sandboxes,
    };
  });
}

/** One that failed counts most, and what is not there does not count. */
export function resultOf(
  sandboxes: readonly Pick<SelftestSandbox, 'result'>[],
): SelftestSandbox['result'] {
  const has = (result: SelftestSandbox['result']): boolean =>
    sandboxes.some((one) => one.result === result);
  return has('fail') ? 'fail' : has('pass') ? 'pass' : 'unavailable';
}

function availabilityOf({ name, details, contractMs, result }: SelftestSandbox): Available[] {
  if (result === 'unavailable') return [];
  return [{ available: true, name, details, probeMs: contractMs }];
}

async function explore(place: Place): Promise<Ground> {
  const { cgroupName, scratchFolder } = place;
  const isolation = await detectIsolation();
  const { reason } = await Cgroups.open({ cgroupName });
  return {
    place,
    device: await readDeviceFacts(cgroupName, { dataFolder: scratchFolder }),
    cgroupReason: reason,
    isolation,
    realTime: await realTimeOf(isolation, scratchFolder),
  };
}

async function realTimeOf({ mode }: Isolation, scratchFolder: string): Promise<RealTime> {
  if (mode === 'none') return { words: [], schedulingClass: readSchedulingClass() };
  return detectRealTime((command) => isolationCommand({ scratchFolder, mode, command }));
}

async function testAll(
  settings: SelftestSettings,
  ports: SelftestPorts,
  ground: Ground,
): Promise<SelftestSandbox[]> {
  const forecast = new Forecast(settings.sandboxes, settings.seconds * 1000);
  const tested: SelftestSandbox[] = [];
  for (const name of settings.sandboxes) {
    const sandbox = await testContract(name, { ports, ground, forecast });
    ports.signal.throwIfAborted();
    tested.push(sandbox);
    forecast.endContract(sandbox);
    ports.tell({ event: 'part', part: 'contract', sandbox });
  }
  const there = tested.filter((sandbox) => isUsable(sandbox));
  const finished: SelftestSandbox[] = [];
  for (const sandbox of tested) {
    const tried = there.includes(sandbox)
      ? await testTrials(sandbox, there.length, { ports, ground, forecast })
      : sandbox;
    finished.push(tried);
    if (tried !== sandbox) ports.tell({ event: 'part', part: 'trials', sandbox: tried });
  }
  return finished;
}

/** False if it is not there, or if its driver hung. */
function isUsable({ result, checks }: SelftestSandbox): boolean {
  return result !== 'unavailable' && !checks.some((check) => check.result === 'not-run');
}

interface Surroundings {
  readonly ports: SelftestPorts;
  readonly ground: Ground;
  readonly forecast: Forecast;
}

async function testContract(
  name: SandboxName,
  { ports, ground, forecast }: Surroundings,
): Promise<SelftestSandbox> {
  const beginMs = performance.now();
  const { details, unavailable, checks } = await tryContract(name, ground.place, {
    signal: ports.signal,
    onBegin: (title) => {
      forecast.beginCheck(name);
      ports.tell({ ...forecast.progress(name), part: 'contract', what: title });
    },
    log: (text) => {
      ports.logger.warn({ sandbox: name, text }, 'contract');
    },
  });
  const failed = checks.find(({ result }) => result === 'fail');
  const failure =
    failed === undefined
      ? unavailable
      : failureOf(`${failed.title}: ${failed.message ?? 'no reason'}`);
  return {
    name,
    result: unavailable !== undefined ? 'unavailable' : failed === undefined ? 'pass' : 'fail',
    details,
    ...(failure === undefined ? {} : { failure }),
    checks: [...checks],
    trials: [],
    contractMs: performance.now() - beginMs,
    trialsMs: 0,
  };
}

async function testTrials(
  sandbox: SelftestSandbox,
  sharers: number,
  { ports, ground, forecast }: Surroundings,
): Promise<SelftestSandbox> {
  const { isolation, place, realTime } = ground;
  if (isolation.mode === 'none') throw fromFailure(isolation.failure);
  const beginMs = performance.now();
  const budgetMs = forecast.trialsMs / sharers;
  const trials = await runTrials(sandbox.name, place, {
    ...ports,
    isolation: isolation.mode,
    realTime: realTime.words,
    budgetMs,
    onBegin: (what) => {
      ports.tell({ ...forecast.progress(sandbox.name), part: 'trials', what });
    },
  });
  forecast.endTrials(budgetMs);
  const failed = trials.find(({ result }) => result === 'fail');
  const failure = sandbox.failure ?? failureOfTrials(failed);
  return {
    ...sandbox,
    result: failed === undefined ? sandbox.result : 'fail',
    ...(failure === undefined ? {} : { failure }),
    trials,
    trialsMs: performance.now() - beginMs,
  };
}

function failureOf(text: string): Failure {
  return { code: 'SANDBOX_FAILED', message: text.slice(0, 4096) };
}

function failureOfTrials(
  failed: SelftestSandbox['trials'][number] | undefined,
): Failure | undefined {
  if (failed === undefined) return undefined;
  const failure = failed.failure ?? toFailure(new Error('no reason'));
  return { ...failure, message: `trial ${failed.procedure}: ${failure.message}`.slice(0, 4096) };
}
