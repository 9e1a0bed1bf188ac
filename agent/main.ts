import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { pino } from 'pino';
import { beginLifetime } from '../bus/lifetime.ts';
import { LockstepError, errorMessageOf } from '../schemas/errors.ts';
import { SandboxName } from '../schemas/sandbox.ts';
import { Identifier } from '../schemas/units.ts';
import { LogOutlet } from '../telemetry/log-outlet.ts';
import { systemClock } from './clock/clock.ts';
import { startAgent } from './start-agent.ts';
import type { AgentSettings } from './start-agent.ts';

/** Time for everything to end after a signal, ms; afterwards the process ends anyway. */
const STOP_TIMEOUT_MS = 40_000;

const HELP = `lockstep agent --server URL --creds FILE --data FOLDER [options]
  --server URL      NATS server of the coordinator
  --creds FILE      credential of this device; its user is the device id
  --data FOLDER     folder for the outbox and what else must survive
  --cache FOLDER    folder for artefacts; may be shared between agents (default: DATA/cache)
  --label K=V       a label of this device; may be repeated
  --sandboxes A,B   kinds of sandbox to offer (default: all that work)
  --stdin-lifeline  stop when stdin ends, that is, when the parent process is gone
`;

interface Settings extends AgentSettings {
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
      sandboxes: { type: 'string' },
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
    ...(values.sandboxes === undefined
      ? {}
      : { sandboxes: values.sandboxes.split(',').map(readSandboxName) }),
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

function readSandboxName(text: string): SandboxName {
  const name = SandboxName.safeParse(text.trim());
  if (name.success) return name.data;
  throw new LockstepError('USAGE', `'${text}' is no kind of sandbox`, {
    hint: `Use some of ${SandboxName.options.join(', ')}.`,
  });
}

async function main(): Promise<number> {
  const logOutlet = new LogOutlet();
  const level = process.env['LOCKSTEP_LOG_LEVEL'] ?? 'info';
  const logger = pino({ name: 'agent', level }, logOutlet);
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
    const running = await startAgent(settings, {
      clock: systemClock,
      logger,
      logOutlet,
      signal: lifetime.signal,
    });
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
