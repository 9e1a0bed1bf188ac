import { once } from 'node:events';
import { resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { pino } from 'pino';
import type { Logger } from 'pino';
import { LockstepError } from '../../../schemas/errors.ts';
import { LogOutlet } from '../../../telemetry/log-outlet.ts';
import { openEndpoint } from '../../../telemetry/endpoints/open-endpoint.ts';
import { startEmbeddedServer } from '../embedded-server.ts';
import { EXIT_CODES } from '../exit-codes.ts';
import { lockHome } from '../home-lock.ts';
import { describeEndpoint, readRelayEndpoints } from '../relay-endpoints.ts';
import type { Session, Work } from '../session.ts';
import { startStack } from '../stack.ts';
import type { Stack, StackOptions } from '../stack.ts';

/** What `lockstep up` takes. */
export interface UpOptions {
  readonly agents: number;
  /** Kinds of sandbox that the agents offer, separated by commas. Absent: all that work. */
  readonly sandboxes?: string;
  readonly host: string;
  readonly port: number;
  /** File of endpoints that telemetry is sent to. Absent: none. */
  readonly otlp?: string;
}

/** What `lockstep coordinator` takes: credentials for a server that runs elsewhere. */
export interface CoordinatorOptions {
  readonly server: string;
  readonly creds: string;
  readonly timekeeperCreds: string;
  readonly researcherCreds?: string;
  /** As {@link UpOptions}. */
  readonly otlp?: string;
}

/** Longest wait for agents to find out what they can run, ms. */
const AGENTS_TIMEOUT_MS = 400_000;

/** An agent that ended this often in a row will not get ready by being started again. */
const ENDS_MAX = 3;

/** Starts server, timekeeper, coordinator and local agents, until Ctrl-C. */
export function up(options: UpOptions): Work {
  const { otlp, ...rest } = options;
  return (session) => keepUp(session, rest, otlp);
}

/** Starts timekeeper and coordinator on a server that runs elsewhere, until Ctrl-C. */
export function coordinator(options: CoordinatorOptions): Work {
  const external = {
    server: options.server,
    credentials: resolve(options.creds),
    timekeeperCredentials: resolve(options.timekeeperCreds),
    researcherCredentials:
      options.researcherCreds === undefined ? undefined : resolve(options.researcherCreds),
  };
  return (session) => keepUp(session, { agents: 0, host: '', port: 0, external }, options.otlp);
}

/** Starts the server of this data folder alone, until Ctrl-C; a coordinator elsewhere uses it. */
export function server(options: Omit<UpOptions, 'agents' | 'sandboxes'>): Work {
  return async (session) => {
    const { home, output, signal } = session;
    const unlock = await lockHome(home.folder);
    try {
      const { logger } = stackLog(session);
      const started = await startEmbeddedServer({ ...options, home, deviceIds: [], logger });
      output.say(`server answers on ${started.url}`);
      for (const role of ['coordinator', 'timekeeper', 'researcher']) {
        output.say(`  credential of the ${role}: ${home.credentialFile(role)}`);
      }
      output.say('ready; end it with Ctrl-C');
      try {
        await untilEnd(started.failed, signal);
      } finally {
        await started.stop();
      }
    } finally {
      await unlock();
    }
    return EXIT_CODES.ok;
  };
}

async function keepUp(
  session: Session,
  options: Omit<StackOptions, 'home' | 'logger' | 'endpoints'>,
  endpointsFile: string | undefined,
): Promise<number> {
  const { home, output, signal } = session;
  const settings = await readRelayEndpoints(process.env, endpointsFile);
  const endpoints = settings.map((each) => openEndpoint(each));
  const stack = await startStack({ ...options, home, endpoints, ...stackLog(session) });
  try {
    output.say(`coordinator answers on ${stack.url}`);
    for (const each of settings) output.say(`telemetry is sent on to ${describeEndpoint(each)}`);
    if (stack.agentIds.length > 0) await awaitAgents(stack, session);
    output.say('ready; end it with Ctrl-C');
    await untilEnd(stack.failed, signal);
    return EXIT_CODES.ok;
  } finally {
    await stack.stop();
  }
}

/** Waits until every local agent knows what it can run; says so when one does. */
export async function awaitAgents(stack: Stack, session: Session): Promise<void> {
  const { output, signal } = session;
  const giveUpAtMs = performance.now() + AGENTS_TIMEOUT_MS;
  const waiting = new Set(stack.agentIds);
  output.say(`${waiting.size} agents are finding out what this machine can run`);
  while (waiting.size > 0) {
    signal.throwIfAborted();
    if (performance.now() > giveUpAtMs) {
      throw new LockstepError('DEVICE_LOST', `not ready in time: ${[...waiting].join(', ')}`, {
        hint: `Look at the logs in ${session.home.folder}/logs.`,
      });
    }
    for (const deviceId of waiting) {
      const trouble = stack.troubleOf(deviceId);
      if (trouble !== undefined && trouble.ends >= ENDS_MAX) {
        throw new LockstepError(
          'DEVICE_LOST',
          `the agent ${deviceId} ended ${trouble.ends} times in a row: ${trouble.reason}`,
          { hint: `Mend that first. Its log is in ${session.home.folder}/logs.` },
        );
      }
      if (!stack.coordinator.isIdle(deviceId)) continue;
      waiting.delete(deviceId);
      output.say(`  ${deviceId} is ready`);
    }
    await delay(100, undefined, { signal });
  }
}

/** The coordinator's log goes to a file: the terminal is for people. */
export function stackLog({ home }: Session): { logger: Logger; logOutlet: LogOutlet } {
  const level = process.env['LOCKSTEP_LOG_LEVEL'] ?? 'info';
  const file = `${home.folder}/logs/coordinator.log`;
  const logOutlet = new LogOutlet(pino.destination({ dest: file, mkdir: true }));
  return { logger: pino({ name: 'coordinator', level }, logOutlet), logOutlet };
}

/** Waits for Ctrl-C. @throws LockstepError BUS_UNAVAILABLE if something ends by itself first. */
async function untilEnd(failed: Promise<string>, signal: AbortSignal): Promise<void> {
  const reason = await Promise.race([failed, aborted(signal)]);
  if (reason !== undefined) throw new LockstepError('BUS_UNAVAILABLE', reason);
}

async function aborted(signal: AbortSignal): Promise<undefined> {
  if (signal.aborted) return;
  await once(signal, 'abort');
}
