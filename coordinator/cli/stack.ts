import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Logger } from 'pino';
import { ArtefactCache } from '../../bus/artefact-cache.ts';
import { connectBus } from '../../bus/connection.ts';
import type { Bus } from '../../bus/bus.ts';
import { readCredentialFile } from '../../bus/credential-file.ts';
import type { LogOutlet } from '../../telemetry/log-outlet.ts';
import type { Destination } from '../../telemetry/payload.ts';
import { Coordinator } from '../coordinator.ts';
import { CoordinatorTelemetry } from '../telemetry/coordinator-telemetry.ts';
import { Companion } from './companion.ts';
import type { Trouble } from './companion.ts';
import { startEmbeddedServer } from './embedded-server.ts';
import { CHECKOUT_FOLDER } from './home.ts';
import type { Home } from './home.ts';
import { lockHome } from './home-lock.ts';

/** What to start on this machine. */
export interface StackOptions {
  readonly home: Home;
  /** Agents to start beside the coordinator. */
  readonly agents: number;
  /** As the agents' option of the same name. */
  readonly sandboxes?: string;
  /** Address and port of the embedded server; port 0 takes any free one. */
  readonly host: string;
  readonly port: number;
  /** A server that runs already, with the credentials to use, in place of an embedded one. */
  readonly external?: {
    server: string;
    credentials: string;
    timekeeperCredentials: string;
    researcherCredentials: string | undefined;
  };
  readonly logger: Logger;
  /** Where that logger writes to, so that its lines can be exported. Absent: they are not. */
  readonly logOutlet?: LogOutlet;
  /** Where the coordinator brings telemetry to. Absent: nowhere. */
  readonly endpoints?: readonly Destination[];
}

/** What was started. */
export interface Stack {
  readonly coordinator: Coordinator;
  readonly bus: Bus;
  readonly url: string;
  /** Device ids of the local agents. */
  readonly agentIds: readonly string[];
  /** What is wrong with a local agent that does not stay. Absent if nothing is. */
  troubleOf(deviceId: string): Trouble | undefined;
  /** Resolves, with the reason, if a part that can't be replaced ended by itself. */
  readonly failed: Promise<string>;
  /** Ends everything in good order. Safe to call once. */
  stop(): Promise<void>;
}

type Undo = () => Promise<void>;

const DRAIN_TIMEOUT_MS = 1000;

/**
 * Starts the server (unless one is named), the timekeeper, the coordinator and local agents, in
 * this order; if one can't be started, those before it are ended again.
 */
export async function startStack(options: StackOptions): Promise<Stack> {
  const undo: Undo[] = [];
  const stop = async (): Promise<void> => {
    for (const step of undo.splice(0).reverse()) await step();
  };
  try {
    return await startParts(options, undo, stop);
  } catch (error) {
    await stop();
    throw error;
  }
}

async function startParts(options: StackOptions, undo: Undo[], stop: Undo): Promise<Stack> {
  const { home, logger } = options;
  undo.push(await lockHome(home.folder));
  const failed = Promise.withResolvers<string>();
  const server = await provideServer(options, undo, failed.resolve);
  undo.push(startTimekeeper(options, server));
  const bus = await connectBus({
    servers: server.url,
    credentials: await readCredentialFile(server.coordinatorCredentials),
    name: 'coordinator',
    user: 'coordinator',
    logger,
  });
  undo.push(() => bus.close());
  const telemetry = await openTelemetry(options, bus, undo);
  const coordinator = await Coordinator.start({
    bus,
    dataFolder: home.folder,
    cache: new ArtefactCache(home.cacheFolder),
    logger,
    ...(options.endpoints === undefined ? {} : { endpoints: options.endpoints }),
    ...(telemetry === undefined ? {} : { tracer: telemetry.tracer, onQuiet: telemetry.onQuiet }),
  });
  telemetry?.start(coordinator.health);
  undo.push(() => coordinator.stop());
  // What the agents sent last is in the stream; it stays there if the endpoints are away.
  undo.push(async () => {
    await telemetry?.flush();
    await coordinator.drainTelemetry(DRAIN_TIMEOUT_MS);
  });
  await writeContext(home, server, undo);
  const agents = startAgents(options, server.url);
  // Agents end before the coordinator, which still takes their last results.
  undo.push(async () => {
    await Promise.all(agents.map(({ companion }) => companion.stop()));
  });
  undo.push(() => coordinator.cancelAll());
  const agentIds = agents.map(({ deviceId }) => deviceId);
  const troubleOf = (wanted: string): Trouble | undefined =>
    agents.find(({ deviceId }) => deviceId === wanted)?.companion.trouble;
  return { coordinator, bus, url: server.url, agentIds, troubleOf, failed: failed.promise, stop };
}

/** Without an endpoint nobody would take what the coordinator tells, so it collects nothing. */
async function openTelemetry(
  { home, endpoints = [], logger, logOutlet }: StackOptions,
  bus: Bus,
  undo: Undo[],
): Promise<CoordinatorTelemetry | undefined> {
  if (endpoints.length === 0) return undefined;
  const telemetry = await CoordinatorTelemetry.open({
    bus,
    folder: join(home.folder, 'telemetry'),
    environment: process.env,
    logger,
    ...(logOutlet === undefined ? {} : { logOutlet }),
  });
  undo.push(() => telemetry.stop());
  return telemetry;
}

interface ProvidedServer {
  readonly url: string;
  readonly coordinatorCredentials: string;
  readonly timekeeperCredentials: string;
  /** For the tools on this machine. Absent if they bring their own. */
  readonly researcherCredentials: string | undefined;
}

async function provideServer(
  options: StackOptions,
  undo: Undo[],
  onEnd: (reason: string) => void,
): Promise<ProvidedServer> {
  const { home, external } = options;
  if (external !== undefined) {
    return {
      url: external.server,
      coordinatorCredentials: external.credentials,
      timekeeperCredentials: external.timekeeperCredentials,
      researcherCredentials: external.researcherCredentials,
    };
  }
  const deviceIds = localAgentIds(options.agents);
  const server = await startEmbeddedServer({ ...options, deviceIds });
  undo.push(() => server.stop());
  void server.failed.then(onEnd);
  return {
    url: server.url,
    coordinatorCredentials: home.credentialFile('coordinator'),
    timekeeperCredentials: home.credentialFile('timekeeper'),
    researcherCredentials: home.credentialFile('researcher'),
  };
}

function startTimekeeper(options: StackOptions, server: ProvidedServer): Undo {
  const companion = new Companion({
    name: 'timekeeper',
    entry: join(CHECKOUT_FOLDER, 'coordinator/timekeeper/main.ts'),
    args: ['--server', server.url, '--creds', server.timekeeperCredentials],
    logFile: join(options.home.folder, 'logs', 'timekeeper.log'),
    logger: options.logger,
  });
  return () => companion.stop();
}

function startAgents(
  options: StackOptions,
  url: string,
): { deviceId: string; companion: Companion }[] {
  const { home, logger } = options;
  return localAgentIds(options.agents).map((deviceId) => ({
    deviceId,
    companion: new Companion({
      name: deviceId,
      entry: join(CHECKOUT_FOLDER, 'agent/main.ts'),
      args: [
        ...['--server', url],
        ...['--creds', home.credentialFile(deviceId)],
        ...['--data', home.agentFolder(deviceId)],
        ...['--cache', home.agentsCacheFolder],
        ...(options.sandboxes === undefined ? [] : ['--sandboxes', options.sandboxes]),
      ],
      logFile: join(home.folder, 'logs', `${deviceId}.log`),
      logger,
      environment: agentEnvironment(),
    }),
  }));
}

// An endpoint that the coordinator's variables name gets telemetry from the relay. An agent that
// inherited them would send the same there once more.
function agentEnvironment(): NodeJS.ProcessEnv {
  return Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !name.startsWith('OTEL_EXPORTER_OTLP_')),
  );
}

function localAgentIds(count: number): string[] {
  return Array.from({ length: count }, (_, index) => `local-${index + 1}`);
}

async function writeContext(home: Home, server: ProvidedServer, undo: Undo[]): Promise<void> {
  const { url, researcherCredentials: credentials } = server;
  if (credentials === undefined) return;
  const context = { server: url, credentials, processId: process.pid };
  await writeFile(home.contextFile, `${JSON.stringify(context, null, 2)}\n`);
  undo.push(() => rm(home.contextFile, { force: true }));
}
