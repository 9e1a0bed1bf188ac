import { setTimeout as delay } from 'node:timers/promises';
import { pino } from 'pino';
import type { Logger } from 'pino';
import { LockstepError } from '../../../schemas/errors.ts';
import { EXIT_CODES } from '../exit-codes.ts';
import type { Session, Work } from '../session.ts';
import { startStack } from '../stack.ts';
import type { Stack, StackOptions } from '../stack.ts';

/** What `lockstep up` takes. */
export interface UpOptions {
  readonly agents: number;
  readonly host: string;
  readonly port: number;
}

/** What `lockstep coordinator` takes: credentials for a server that runs elsewhere. */
export interface CoordinatorOptions {
  readonly server: string;
  readonly creds: string;
  readonly timekeeperCreds: string;
}

/** Longest wait for agents to find out what they can run, ms. */
const AGENTS_TIMEOUT_MS = 400_000;

/** Starts server, timekeeper, coordinator and local agents, until Ctrl-C. */
export function up(options: UpOptions): Work {
  return (session) => keepUp(session, options);
}

/** Starts timekeeper and coordinator on a server that runs elsewhere, until Ctrl-C. */
export function coordinator(options: CoordinatorOptions): Work {
  const { server, creds, timekeeperCreds } = options;
  const external = { server, credentials: creds, timekeeperCredentials: timekeeperCreds };
  return (session) => keepUp(session, { agents: 0, host: '', port: 0, external });
}

async function keepUp(
  session: Session,
  options: Omit<StackOptions, 'home' | 'logger'>,
): Promise<number> {
  const { home, output, signal } = session;
  const stack = await startStack({ ...options, home, logger: stackLogger(session) });
  try {
    output.say(`coordinator answers on ${stack.url}`);
    if (stack.agentIds.length > 0) await awaitAgents(stack, session);
    output.say('ready; end it with Ctrl-C');
    const reason = await Promise.race([stack.failed, aborted(signal)]);
    if (reason !== undefined) throw new LockstepError('BUS_UNAVAILABLE', reason);
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
      if (!stack.coordinator.isIdle(deviceId)) continue;
      waiting.delete(deviceId);
      output.say(`  ${deviceId} is ready`);
    }
    await delay(100, undefined, { signal });
  }
}

/** The coordinator's log goes to a file: the terminal is for people. */
export function stackLogger({ home }: Session): Logger {
  const level = process.env['LOCKSTEP_LOG_LEVEL'] ?? 'info';
  const file = `${home.folder}/logs/coordinator.log`;
  return pino({ name: 'coordinator', level }, pino.destination({ dest: file, mkdir: true }));
}

async function aborted(signal: AbortSignal): Promise<undefined> {
  if (signal.aborted) return;
  await new Promise<void>((resolve) => {
    signal.addEventListener(
      'abort',
      () => {
        resolve();
      },
      { once: true },
    );
  });
}
