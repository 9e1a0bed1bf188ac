import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { pino } from 'pino';
import { connectBus } from '../../bus/connection.ts';
import { readCredentialFile } from '../../bus/credential-file.ts';
import { beginLifetime } from '../../bus/lifetime.ts';
import { errorMessageOf } from '../../schemas/errors.ts';
import { answerProbes } from './timekeeper.ts';

/**
 * The timekeeper is a process of its own, so that nothing else that a coordinator does delays its
 * answers.
 */
async function main(): Promise<number> {
  const logger = pino({ name: 'timekeeper', level: process.env['LOCKSTEP_LOG_LEVEL'] ?? 'info' });
  const { values } = parseArgs({
    options: {
      server: { type: 'string' },
      creds: { type: 'string' },
      'stdin-lifeline': { type: 'boolean', default: false },
    },
  });
  if (values.server === undefined || values.creds === undefined) {
    process.stderr.write('timekeeper: --server URL and --creds FILE are needed\n');
    return 2;
  }
  const lifetime = beginLifetime({ hasLifeline: values['stdin-lifeline'], stopTimeoutMs: 5000 });
  const bus = await connectBus({
    servers: values.server,
    credentials: await readCredentialFile(resolve(values.creds)),
    name: 'timekeeper',
    user: 'timekeeper',
    waitMs: Number.POSITIVE_INFINITY,
    signal: lifetime.signal,
    logger,
  });
  await answerProbes(bus);
  logger.info('timekeeper answers');
  logger.info({ reason: await lifetime.over }, 'timekeeper stops');
  await bus.close();
  return 0;
}

try {
  process.exitCode = await main();
} catch (error) {
  process.stderr.write(`timekeeper: ${errorMessageOf(error)}\n`);
  process.exitCode = 1;
}
// Sockets that still drain would keep the process; everything is done here.
process.exit();
