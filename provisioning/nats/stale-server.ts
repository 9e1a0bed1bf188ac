import { readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from 'pino';
import { z } from 'zod';
import { LockstepError } from '../../schemas/errors.ts';
import { identityOf, isRunning, ProcessIdentity } from './process-identity.ts';

const ServerRecord = z.object({ server: ProcessIdentity, owner: ProcessIdentity });

const RECORD_FILE = 'server.json';
const POLL_MS = 50;
const ASK_DEADLINE_MS = 5000;
const KILL_DEADLINE_MS = 3000;

/** Notes which server serves a folder, and which process started it. */
export async function recordServer(folder: string, pid: number): Promise<void> {
  const [server, owner] = await Promise.all([identityOf(pid), identityOf(process.pid)]);
  // Already gone; whoever waits for it to answer will say why.
  if (server === undefined || owner === undefined) return;
  const path = join(folder, RECORD_FILE);
  await writeFile(`${path}.new`, JSON.stringify({ server, owner }), { mode: 0o600 });
  await rename(`${path}.new`, path);
}

/**
 * Ends the server that a killed earlier start left on this folder. Only the very process that was
 * noted, and only if it was given this folder's configuration, is touched.
 *
 * @throws LockstepError PORT_IN_USE if the process that started it still runs.
 */
export async function endStaleServer(
  folder: string,
  configPath: string,
  logger?: Logger,
): Promise<void> {
  const path = join(folder, RECORD_FILE);
  const record = await readRecord(path);
  if (record === undefined) return;
  const { server, owner } = record;
  if ((await isRunning(server)) && (await wasGiven(server.pid, configPath))) {
    if (await isRunning(owner)) {
      throw new LockstepError(
        'PORT_IN_USE',
        `process ${owner.pid} already runs a NATS server (${server.pid}) on ${folder}`,
        { hint: 'Stop that process, or choose another data folder.' },
      );
    }
    logger?.warn({ pid: server.pid }, 'ending the NATS server of an earlier start');
    await end(server);
  }
  await rm(path, { force: true });
}

async function readRecord(path: string): Promise<z.output<typeof ServerRecord> | undefined> {
  try {
    return ServerRecord.parse(JSON.parse(await readFile(path, 'utf8')));
  } catch {
    // None, or damaged: then nobody can be told to be ours, and nobody is touched.
    return undefined;
  }
}

async function wasGiven(pid: number, configPath: string): Promise<boolean> {
  const commandLine = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
  return commandLine.split('\0').includes(configPath);
}

async function end(server: ProcessIdentity): Promise<void> {
  for (const [signal, deadlineMs] of [
    ['SIGTERM', ASK_DEADLINE_MS],
    ['SIGKILL', KILL_DEADLINE_MS],
  ] as const) {
    const untilMs = performance.now() + deadlineMs;
    if (await isRunning(server)) process.kill(server.pid, signal);
    while (performance.now() < untilMs) {
      if (!(await isRunning(server))) return;
      await delay(POLL_MS);
    }
  }
  throw new LockstepError('PORT_IN_USE', `NATS server ${server.pid} does not end`, {
    hint: `End process ${server.pid} by hand.`,
  });
}
