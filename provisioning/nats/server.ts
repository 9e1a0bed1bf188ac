import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import {
  access,
  chmod,
  constants,
  mkdir,
  open,
  readdir,
  readFile,
  rename,
  rm,
  writeFile,
} from 'node:fs/promises';
import { connect as connectTcp } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from 'pino';
import { errorMessageOf, LockstepError } from '../../schemas/errors.ts';
import type { Trust } from './credentials.ts';
import { dieWithParent } from './die-with-parent.ts';
import { serverConfig } from './server-config.ts';
import { endStaleServer, recordServer } from './stale-server.ts';

/** How to run an embedded nats-server. */
export interface StartNatsServerOptions {
  /** Path of the program; see `findNatsServer`. */
  binary: string;
  /** Folder for its configuration, streams and log; one server at a time. */
  folder: string;
  trust: Trust;
  /** Address to listen on. Default 127.0.0.1. */
  host?: string;
  /** Port to listen on; 0: any free one. */
  port: number;
  /** How long it may take until it answers, ms. Default 30 s. */
  readyTimeoutMs?: number;
  logger?: Logger;
}

/** A running nats-server. */
export interface NatsServer {
  /** Where it answers, `nats://address:port`. */
  readonly url: string;
  readonly port: number;
  readonly pid: number;
  /** Resolves when it has ended, however it did. */
  readonly exited: Promise<NatsServerExit>;
  /** Ends it: asks first, forces after a deadline. */
  stop(): Promise<void>;
}

/** How a server ended. */
export interface NatsServerExit {
  /** Exit code. Absent: ended by a signal. */
  code: number | undefined;
  /** Signal. Absent: it exited. */
  signal: string | undefined;
  /** The last lines of its log. */
  logTail: string;
}

const READY_TIMEOUT_MS = 30_000;
const POLL_MS = 25;
const ASK_DEADLINE_MS = 8000;
const KILL_DEADLINE_MS = 3000;
const PROBE_TIMEOUT_MS = 1000;
const LOG_TAIL_BYTES = 4096;

/**
 * Starts a nats-server as a child that ends when this process does, and resolves when it answers.
 * What a killed earlier start left running on the same folder is ended first.
 *
 * @throws LockstepError PORT_IN_USE, STORAGE_FULL, STORAGE_FAILED, TOOL_MISSING, or
 * BUS_UNAVAILABLE with the end of its log.
 */
export async function startNatsServer(options: StartNatsServerOptions): Promise<NatsServer> {
  const { folder, binary, host = '127.0.0.1', port, logger } = options;
  await checkProgram(binary);
  await endStaleServer(folder, configPathOf(folder), logger);
  const files = await prepareFolder(options, host);
  const { command, args } = await dieWithParent(binary, ['--config', files.config], logger);
  // A group of its own: Ctrl-C in the terminal is for us, who then end it in good order.
  const child = spawn(command, args, { stdio: ['ignore', 'ignore', 'pipe'], detached: true });
  const exited = followExit(child, files.log);
  try {
    const pid = await startedPid(child, binary);
    await recordServer(folder, pid);
    const readyPort = await waitUntilReady({
      pid,
      host,
      portsFolder: files.ports,
      exited,
      timeoutMs: options.readyTimeoutMs ?? READY_TIMEOUT_MS,
    });
    logger?.info({ pid, host, port: readyPort }, 'nats-server answers');
    return {
      url: `nats://${reachable(host)}:${readyPort}`,
      port: readyPort,
      pid,
      exited,
      stop: async () => endChild(child, exited),
    };
  } catch (error) {
    await endChild(child, exited);
    throw startError(error, { port, host, folder });
  }
}

interface ServerFiles {
  config: string;
  log: string;
  ports: string;
}

async function prepareFolder(
  { folder, trust, port }: StartNatsServerOptions,
  host: string,
): Promise<ServerFiles> {
  const files = {
    config: configPathOf(folder),
    log: join(folder, 'nats-server.log'),
    ports: join(folder, 'ports'),
  };
  const text = serverConfig({
    trust,
    host,
    port,
    storeFolder: join(folder, 'streams'),
    portsFolder: files.ports,
    logFile: files.log,
  });
  try {
    // A file of an earlier server with the same process number would name a wrong port.
    await rm(files.ports, { recursive: true, force: true });
    await mkdir(files.ports, { recursive: true, mode: 0o700 });
    await chmod(folder, 0o700);
    await writeFile(`${files.config}.new`, text, { mode: 0o600 });
    await rename(`${files.config}.new`, files.config);
    return files;
  } catch (error) {
    throw startError(error, { port, host, folder });
  }
}

// Asked before, because behind setpriv a missing program looks like one that failed.
async function checkProgram(binary: string): Promise<void> {
  try {
    await access(binary, constants.X_OK);
  } catch (error) {
    throw missingProgram(binary, error);
  }
}

async function startedPid(child: ChildProcess, binary: string): Promise<number> {
  if (child.pid !== undefined) return child.pid;
  const [error] = (await once(child, 'error')) as [Error];
  throw missingProgram(binary, error);
}

function missingProgram(binary: string, cause: unknown): LockstepError {
  return new LockstepError('TOOL_MISSING', `cannot run ${binary}: ${errorMessageOf(cause)}`, {
    hint: 'Run `npm run setup`, or install nats-server 2.10.27 or newer.',
    cause,
  });
}

interface ReadyWait {
  pid: number;
  host: string;
  portsFolder: string;
  exited: Promise<NatsServerExit>;
  timeoutMs: number;
}

async function waitUntilReady(wait: ReadyWait): Promise<number> {
  const { pid, host, portsFolder, exited, timeoutMs } = wait;
  const deadlineMs = performance.now() + timeoutMs;
  const exits: NatsServerExit[] = [];
  void exited.then((exit) => exits.push(exit));
  while (performance.now() < deadlineMs) {
    for (const { logTail } of exits) throw new Error(`it ended at once: ${logTail}`);
    const port = await readPort(portsFolder, pid);
    if (port !== undefined && (await answers(reachable(host), port))) return port;
    await delay(POLL_MS);
  }
  throw new Error(`it did not answer within ${timeoutMs} ms`);
}

async function readPort(portsFolder: string, pid: number): Promise<number | undefined> {
  try {
    const name = (await readdir(portsFolder)).find((file) => file.endsWith(`_${pid}.ports`));
    if (name === undefined) return undefined;
    const ports = JSON.parse(await readFile(join(portsFolder, name), 'utf8')) as unknown;
    const url = /"nats":\["nats:\/\/[^"]*:(\d+)"/.exec(JSON.stringify(ports))?.[1];
    return url === undefined ? undefined : Number(url);
  } catch {
    // Half written; read again at the next turn.
    return undefined;
  }
}

// The first thing a nats-server says, by itself, is a line with its properties; streams are
// recovered by then.
async function answers(host: string, port: number): Promise<boolean> {
  const socket = connectTcp({ host, port });
  socket.setTimeout(PROBE_TIMEOUT_MS, () => socket.destroy(new Error('no greeting')));
  try {
    const [greeting] = (await once(socket, 'data')) as [Buffer];
    return greeting.toString('latin1').startsWith('INFO ');
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}

async function followExit(child: ChildProcess, logFile: string): Promise<NatsServerExit> {
  let stderr = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    stderr = (stderr + text).slice(-LOG_TAIL_BYTES);
  });
  const { promise, resolve } = Promise.withResolvers<[number | null, string | null]>();
  child.once('close', (code, signal) => {
    resolve([code, signal]);
  });
  // Without a process there is no 'close'.
  child.once('error', () => {
    resolve([null, null]);
  });
  const [code, signal] = await promise;
  const logTail = `${stderr}${await tailOf(logFile)}`.slice(-LOG_TAIL_BYTES).trim();
  return { code: code ?? undefined, signal: signal ?? undefined, logTail };
}

async function tailOf(path: string): Promise<string> {
  try {
    const file = await open(path, 'r');
    try {
      const { size } = await file.stat();
      const buffer = Buffer.alloc(Math.min(size, LOG_TAIL_BYTES / 2));
      await file.read(buffer, 0, buffer.length, Math.max(0, size - buffer.length));
      return buffer.toString('utf8');
    } finally {
      await file.close();
    }
  } catch {
    return '';
  }
}

async function endChild(child: ChildProcess, exited: Promise<NatsServerExit>): Promise<void> {
  for (const [signal, deadlineMs] of [
    ['SIGTERM', ASK_DEADLINE_MS],
    ['SIGKILL', KILL_DEADLINE_MS],
  ] as const) {
    child.kill(signal);
    const waiting = new AbortController();
    const isOver = await Promise.race([
      exited.then(() => true),
      delay(deadlineMs, false, { signal: waiting.signal }).catch(() => false),
    ]);
    waiting.abort();
    if (isOver) return;
  }
}

function startError(
  error: unknown,
  { port, host, folder }: { port: number; host: string; folder: string },
): LockstepError {
  if (error instanceof LockstepError) return error;
  const text = errorMessageOf(error);
  if (/address already in use/i.test(text)) {
    return new LockstepError('PORT_IN_USE', `port ${port} on ${host} is taken by another process`, {
      hint: 'Choose another port with --port, or 0 for any free one.',
      cause: error,
    });
  }
  if (/no space left|ENOSPC|EDQUOT|insufficient/i.test(text)) {
    return new LockstepError('STORAGE_FULL', `no space for the NATS server in ${folder}: ${text}`, {
      hint: 'Free space on this disk, or choose another data folder.',
      cause: error,
    });
  }
  if (/EROFS|EACCES|EPERM|read-only|permission denied/i.test(text)) {
    return new LockstepError('STORAGE_FAILED', `the NATS server cannot use ${folder}: ${text}`, {
      hint: 'Check the owner and the mount of the folder.',
      cause: error,
    });
  }
  return new LockstepError('BUS_UNAVAILABLE', `the NATS server did not start: ${text}`, {
    hint: `Its log is in ${folder}.`,
    cause: error,
  });
}

function configPathOf(folder: string): string {
  return join(folder, 'nats-server.conf');
}

function reachable(host: string): string {
  return host === '0.0.0.0' || host === '::' ? '127.0.0.1' : host;
}
