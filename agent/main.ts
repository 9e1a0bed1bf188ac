import { mkdir, rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { pino } from 'pino';
import type { Logger } from 'pino';
import { ArtefactCache } from '../bus/artefact-cache.ts';
import { openArtefactStore } from '../bus/artefact-store.ts';
import type { Bus } from '../bus/bus.ts';
import { connectBus } from '../bus/connection.ts';
import { credentialName, readCredentialFile } from '../bus/credential-file.ts';
import { beginLifetime } from '../bus/lifetime.ts';
import { openOutbox } from '../bus/outbox.ts';
import type { Outbox } from '../bus/outbox.ts';
import { LockstepError, errorMessageOf } from '../schemas/errors.ts';
import { fromFailure } from '../schemas/failure.ts';
import { encodeMessage } from '../schemas/protocol.ts';
import { resultKey, TrialResult } from '../schemas/result.ts';
import { resultSubject } from '../schemas/subjects.ts';
import { Identifier } from '../schemas/units.ts';
import { VERSION } from '../schemas/version.ts';
import { Agent } from './agent.ts';
import { cgroupNameOf } from './cgroup-name.ts';
import { Artefacts } from './artefacts.ts';
import { systemClock } from './clock/clock.ts';
import { Synchroniser } from './clock/synchroniser.ts';
import { readDeviceFacts } from './facts.ts';
import { PresenceTeller } from './presence.ts';
import { probeSandboxes } from './prober.ts';
import { detectIsolation } from './runner/namespaces.ts';
import { Cgroups } from './sandboxes/cgroup.ts';

/** Time for everything to end after a signal, ms; afterwards the process ends anyway. */
const STOP_TIMEOUT_MS = 40_000;

const HELP = `lockstep agent --server URL --creds FILE --data FOLDER [options]
  --server URL      NATS server of the coordinator
  --creds FILE      credential of this device; its user is the device id
  --data FOLDER     folder for the outbox and what else must survive
  --cache FOLDER    folder for artefacts; may be shared between agents (default: DATA/cache)
  --label K=V       a label of this device; may be repeated
  --stdin-lifeline  stop when stdin ends, that is, when the parent process is gone
`;

interface Settings {
  readonly server: string;
  readonly creds: string;
  readonly data: string;
  readonly cache: string;
  readonly labels: Record<string, string>;
  readonly hasLifeline: boolean;
}

function readSettings(args: string[]): Settings {
  const { values } = parseArgs({
    args,
    options: {
      server: { type: 'string' },
      creds: { type: 'string' },
      data: { type: 'string' },
      cache: { type: 'string' },
      label: { type: 'string', multiple: true, default: [] },
      'stdin-lifeline': { type: 'boolean', default: false },
    },
  });
  const { server, creds, data } = values;
  if (server === undefined || creds === undefined || data === undefined) {
    throw new LockstepError('USAGE', 'an agent needs --server, --creds and --data');
  }
  return {
    server,
    creds: resolve(creds),
    data: resolve(data),
    cache: resolve(values.cache ?? join(data, 'cache')),
    labels: Object.fromEntries(values.label.map(readLabel)),
    hasLifeline: values['stdin-lifeline'],
  };
}

function readLabel(text: string): [string, string] {
  const [key = '', ...rest] = text.split('=');
  const value = rest.join('=');
  if (!Identifier.safeParse(key).success || value === '' || value.length > 128) {
    throw new LockstepError('USAGE', `label '${text}' is not of the form key=value`, {
      hint: 'Use a key of lower-case letters, digits and hyphens, and a value of 128 at most.',
    });
  }
  return [key, value];
}

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

async function start(
  settings: Settings,
  logger: Logger,
  signal: AbortSignal,
): Promise<{ stop: () => Promise<void> }> {
  const credentials = await readCredentialFile(settings.creds);
  const deviceId = Identifier.parse(credentialName(credentials.jwt));
  const scratchFolder = join(settings.data, 'scratch');
  const cgroupName = cgroupNameOf(deviceId, settings.data);
  await reap(cgroupName, scratchFolder, logger);
  const facts = await readDeviceFacts(cgroupName);
  const outbox = await openOutbox({ folder: join(settings.data, 'outbox'), logger });
  const bus = await connectBus({
    servers: settings.server,
    credentials,
    name: `agent ${deviceId}`,
    user: deviceId,
    waitMs: Number.POSITIVE_INFINITY,
    signal,
    logger,
  });
  outbox.start(bus);
  const identity = { deviceId, agentVersion: VERSION, labels: settings.labels, facts };
  const presence = new PresenceTeller(bus, identity, logger);
  presence.start();
  const artefacts = new Artefacts(
    new ArtefactCache(settings.cache),
    await openArtefactStore(bus, { create: false, logger }),
  );
  const isolation = await detectIsolation();
  if (isolation.mode === 'none') throw fromFailure(isolation.failure);
  const runner = { scratchFolder, isolation: isolation.mode, logger };
  const agent = new Agent(
    {
      deviceId,
      cgroupName,
      clock: systemClock,
      synchroniser: new Synchroniser(bus, systemClock, deviceId),
      artefacts,
      runner,
      logger,
      keep: (result) => keepResult(outbox, deviceId, result),
    },
    presence,
  );
  const equipment = await artefacts.equipFromNames(PROBE_FUNCTIONS);
  presence.setSandboxes(await probeSandboxes(cgroupName, equipment, runner, signal));
  await agent.serve(bus);
  presence.enter('idle');
  logger.info({ deviceId }, 'agent is ready');
  return { stop: () => stopAgent(agent, outbox, bus, logger) };
}

/** Functions that sandboxes are probed with; the first that is published is used. */
const PROBE_FUNCTIONS = ['hello-go', 'hello-node'];

async function stopAgent(agent: Agent, outbox: Outbox, bus: Bus, logger: Logger): Promise<void> {
  await agent.stop();
  if (!(await outbox.flush(5000))) {
    logger.warn({ pending: outbox.pending }, 'results stay in the outbox until the next start');
  }
  await outbox.close();
  await bus.close();
}

async function main(): Promise<number> {
  const logger = pino({ name: 'agent', level: process.env['LOCKSTEP_LOG_LEVEL'] ?? 'info' });
  let settings: Settings;
  try {
    settings = readSettings(process.argv.slice(2));
  } catch (error) {
    process.stderr.write(`agent: ${errorMessageOf(error)}\n${HELP}`);
    return 2;
  }
  const { hasLifeline } = settings;
  const lifetime = beginLifetime({ hasLifeline, stopTimeoutMs: STOP_TIMEOUT_MS });
  try {
    const running = await start(settings, logger, lifetime.signal);
    logger.info({ reason: await lifetime.over }, 'agent stops');
    await running.stop();
    return 0;
  } catch (error) {
    if (lifetime.signal.aborted) return 0;
    const hint = error instanceof LockstepError ? (error.hint ?? '') : '';
    process.stderr.write(`agent: ${errorMessageOf(error)}\n${hint}\n`);
    logger.fatal({ error }, 'agent could not start');
    return 1;
  }
}

process.exit(await main());
