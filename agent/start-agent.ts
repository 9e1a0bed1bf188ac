import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Logger } from 'pino';
import { ArtefactCache } from '../bus/artefact-cache.ts';
import { openArtefactStore } from '../bus/artefact-store.ts';
import type { Bus } from '../bus/bus.ts';
import { connectBus } from '../bus/connection.ts';
import { credentialName, readCredentialFile } from '../bus/credential-file.ts';
import { openOutbox } from '../bus/outbox.ts';
import type { Outbox } from '../bus/outbox.ts';
import type { DeviceFacts } from '../schemas/device.ts';
import { fromFailure } from '../schemas/failure.ts';
import { BARRIER } from '../schemas/messages.ts';
import { encodeMessage } from '../schemas/protocol.ts';
import { resultKey, TrialResult } from '../schemas/result.ts';
import { SANDBOXES_PROBED_AT_START } from '../schemas/sandbox.ts';
import type { SandboxName } from '../schemas/sandbox.ts';
import { barrierSubject, resultSubject } from '../schemas/subjects.ts';
import { Identifier } from '../schemas/units.ts';
import { VERSION } from '../schemas/version.ts';
import type { LogOutlet } from '../telemetry/log-outlet.ts';
import { Agent } from './agent.ts';
import { Artefacts } from './artefacts.ts';
import { cgroupNameOf } from './cgroup-name.ts';
import type { Clock } from './clock/clock.ts';
import { keepSynchronised } from './clock/idle-synchronisation.ts';
import { Synchroniser } from './clock/synchroniser.ts';
import { busTimeProbe } from './clock/time-probe.ts';
import { readChangingFacts, readDeviceFacts } from './facts/device-facts.ts';
import { watchFacts } from './facts/facts-watch.ts';
import { withGuestBoot } from './facts/virtualisation.ts';
import { PresenceTeller } from './presence.ts';
import { Prober } from './prober.ts';
import { RunnerClient } from './runner/client.ts';
import type { RunnerOptions } from './runner/client.ts';
import { detectIsolation, isolationCommand } from './runner/namespaces.ts';
import { detectRealTime } from './runner/real-time.ts';
import type { RealTime } from './runner/real-time.ts';
import { Cgroups } from './sandboxes/cgroup.ts';
import { AgentTelemetry } from './telemetry/agent-telemetry.ts';
import { deviceResource } from './telemetry/device-resource.ts';

/** What people set about an agent. */
export interface AgentSettings {
  readonly server: string;
  /** File of the device's credential; its user is the device id. */
  readonly creds: string;
  /** Folder for the outbox and what else must survive. */
  readonly data: string;
  /** Folder for artefacts; may be shared between agents. */
  readonly cache: string;
  readonly labels: Record<string, string>;
  /** The only kinds of sandbox to offer, if they work. Absent: all, some only when asked for. */
  readonly sandboxes?: readonly SandboxName[];
}

/** What an agent runs on. */
export interface AgentPorts {
  readonly clock: Clock;
  readonly logger: Logger;
  /** Aborts when the agent is to stop before it has started. */
  readonly signal: AbortSignal;
  /** Where the logger writes to, so that its lines can be exported. Absent: they are not. */
  readonly logOutlet?: LogOutlet;
  /** Program of the runner, if it is another one than that of the release. */
  readonly runnerEntry?: string;
}

/** Longest wait at a barrier, ms: the slowest sandbox of the fleet decides. */
const BARRIER_TIMEOUT_MS = 900_000;

/** Removes what an earlier agent of this device left behind, whatever ended it. */
async function reap(cgroupName: string, scratchFolder: string, logger: Logger): Promise<void> {
  const cgroups = await Cgroups.open({ cgroupName });
  const leftovers = await cgroups.removeAll();
  if (leftovers.length > 0) logger.error({ leftovers }, 'an earlier agent left these behind');
  await rm(scratchFolder, { recursive: true, force: true });
  await mkdir(scratchFolder, { recursive: true });
}

async function keepResult(outbox: Outbox, deviceId: string, result: TrialResult): Promise<void> {
  const bytes = new TextEncoder().encode(JSON.stringify(encodeMessage(TrialResult, result)));
  await outbox.add(resultSubject(deviceId), resultKey(result), bytes);
}

/**
 * Starts an agent: it removes what an earlier one left, connects, finds out what the device can
 * run, and serves the coordinator until it is stopped.
 *
 * @throws LockstepError if the credential, the outbox or the namespaces can't be used.
 */
export async function startAgent(
  settings: AgentSettings,
  ports: AgentPorts,
): Promise<{ stop: () => Promise<void> }> {
  const { clock, logger, signal } = ports;
  const credentials = await readCredentialFile(settings.creds);
  const deviceId = Identifier.parse(credentialName(credentials.jwt));
  const scratchFolder = join(settings.data, 'scratch');
  const cgroupName = cgroupNameOf(deviceId, settings.data);
  await reap(cgroupName, scratchFolder, logger);
  const facts = await readDeviceFacts(cgroupName, { dataFolder: settings.data });
  const ways = await openWays(settings, ports, { deviceId, facts });
  const { outbox, telemetry } = ways;
  const bus = await connectBus({
    ...{ servers: settings.server, credentials, name: `agent ${deviceId}`, user: deviceId },
    ...{ waitMs: Number.POSITIVE_INFINITY, signal, logger },
  });
  outbox.start(bus);
  ways.samplesOutbox.start(bus);
  const identity = { deviceId, agentVersion: VERSION, labels: settings.labels, facts };
  const presence = new PresenceTeller(bus, identity, logger);
  presence.start();
  const artefacts = new Artefacts(
    new ArtefactCache(settings.cache),
    await openArtefactStore(bus, { create: false, logger }),
    join(settings.cache, 'images'),
  );
  const { runner, realTime } = await prepareRunners(scratchFolder, ports);
  const synchroniser = new Synchroniser({ probe: busTimeProbe(bus, clock, deviceId), clock });
  telemetry.start(bus, {
    outboxPending: () => outbox.pending + ways.samplesOutbox.pending,
    clockBoundNs: () => synchroniser.boundNs,
    state: () => presence.state,
  });
  const prober = new Prober({ cgroupName, artefacts, runner, offered: settings.sandboxes });
  const probe = (names: readonly string[]) => prober.probe(names, signal);
  const agent = new Agent(
    {
      ...{ deviceId, cgroupName, scratchFolder, clock, synchroniser, artefacts, telemetry, logger },
      startRunner: () => RunnerClient.start(runner),
      schedulingClass: realTime.schedulingClass,
      schedulingReason: realTime.reason,
      askBarrier: (request) =>
        bus.request(barrierSubject(deviceId), BARRIER, request, { timeoutMs: BARRIER_TIMEOUT_MS }),
      probe,
      keep: (result) => keepResult(outbox, deviceId, result),
    },
    presence,
  );
  const sandboxes = await probe(settings.sandboxes ?? SANDBOXES_PROBED_AT_START);
  presence.addSandboxes(sandboxes);
  const probedFacts = withGuestBoot(facts, sandboxes);
  presence.setFacts(probedFacts);
  await agent.serve(bus);
  presence.enter('idle');
  const stopIdleWork = startIdleWork(
    { agent, synchroniser, presence, facts: probedFacts },
    {
      ...ports,
      dataFolder: settings.data,
    },
  );
  logger.info({ deviceId }, 'agent is ready');
  return {
    stop: async () => {
      stopIdleWork();
      await stopAgent({ agent, bus, ...ways }, logger);
    },
  };
}

/** What an agent tells over, and keeps while the link is down. */
interface Ways {
  readonly outbox: Outbox;
  readonly samplesOutbox: Outbox;
  readonly telemetry: AgentTelemetry;
}

async function openWays(
  settings: AgentSettings,
  { logger, logOutlet }: AgentPorts,
  { deviceId, facts }: { deviceId: string; facts: DeviceFacts },
): Promise<Ways> {
  const outbox = await openOutbox({ folder: join(settings.data, 'outbox'), logger });
  const samplesOutbox = await openOutbox({ folder: join(settings.data, 'samples'), logger });
  const telemetry = await AgentTelemetry.open({
    resource: deviceResource(deviceId, VERSION, facts),
    folder: join(settings.data, 'telemetry'),
    samplesOutbox,
    environment: process.env,
    logger,
    ...(logOutlet === undefined ? {} : { logOutlet }),
  });
  return { outbox, samplesOutbox, telemetry };
}

/** What an agent does while it serves no run: it keeps its clock and its facts up to date. */
function startIdleWork(
  parts: { agent: Agent; synchroniser: Synchroniser; presence: PresenceTeller; facts: DeviceFacts },
  { clock, logger, dataFolder }: AgentPorts & { readonly dataFolder: string },
): () => void {
  const { agent, synchroniser, presence, facts } = parts;
  const isIdle = (): boolean => agent.isIdle;
  const idleClock = keepSynchronised({ synchroniser, clock, isIdle, logger });
  const factsWatch = watchFacts({
    facts,
    clock,
    isIdle,
    read: () => readChangingFacts({ dataFolder }),
    onChange: (next) => {
      presence.setFacts(next);
    },
    logger,
  });
  return () => {
    factsWatch.stop();
    idleClock.stop();
  };
}

/** How runners are started on this device, and which scheduling class they get. */
async function prepareRunners(
  scratchFolder: string,
  { logger, runnerEntry }: AgentPorts,
): Promise<{ runner: RunnerOptions; realTime: RealTime }> {
  const isolation = await detectIsolation();
  if (isolation.mode === 'none') throw fromFailure(isolation.failure);
  const { mode } = isolation;
  const realTime = await detectRealTime((command) =>
    isolationCommand({ scratchFolder, mode, command }),
  );
  if (realTime.reason !== undefined) logger.warn({ reason: realTime.reason }, 'ordinary class');
  const entry = runnerEntry === undefined ? {} : { entry: runnerEntry };
  const runner = { scratchFolder, isolation: mode, realTime: realTime.words, logger, ...entry };
  return { runner, realTime };
}

interface Stoppable extends Ways {
  readonly agent: Agent;
  readonly bus: Bus;
}

async function stopAgent(parts: Stoppable, logger: Logger): Promise<void> {
  await parts.agent.stop();
  await parts.telemetry.stop();
  for (const outbox of [parts.outbox, parts.samplesOutbox]) {
    if (!(await outbox.flush(5000))) {
      logger.warn({ pending: outbox.pending }, 'messages stay in the outbox until the next start');
    }
    await outbox.close();
  }
  await parts.bus.close();
}
