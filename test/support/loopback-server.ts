import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { readFileSync, readdirSync, readlinkSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { dieWithParent } from '../../provisioning/nats/die-with-parent.ts';

/** The part of ava's context that undoes things at the end of a test. */
export interface Teardown {
  teardown(undo: () => Promise<void>): void;
}

/** How a server is started. */
export interface LoopbackServerOptions {
  readonly program: string;
  /** Its arguments, given a folder of its own; it must listen on 127.0.0.1 and port 0. */
  readonly words: (folder: string) => string[] | Promise<string[]>;
  /** Path that answers 200 once it is ready. */
  readonly readyPath: string;
}

/** A server that runs. */
export interface LoopbackServer {
  /** `http://127.0.0.1:PORT`. */
  readonly url: string;
  readonly folder: string;
  readonly pid: number;
  /** What it has written to stderr and stdout, its end. */
  output(): string;
  /** Ends it at once and removes its folder. */
  stop(): Promise<void>;
}

const READY_TIMEOUT_MS = 20_000;
const ASK_TIMEOUT_MS = 2_000;
const STOP_TIMEOUT_MS = 5_000;
const POLL_MS = 20;
const OUTPUT_CHARACTERS_MAX = 64 * 1024;

/**
 * Starts a server of one test on a free port of loopback, with a folder of its own, and waits until
 * it is ready. It ends with the test, and with this process however that ends.
 */
export async function startLoopbackServer(
  t: Teardown,
  { program, words, readyPath }: LoopbackServerOptions,
): Promise<LoopbackServer> {
  const folder = await mkdtemp(join(tmpdir(), 'lockstep-server-'));
  const { command, args } = await dieWithParent(program, await words(folder));
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  const closed = new Promise<void>((resolve) => {
    child.once('error', () => {
      resolve();
    });
    child.once('close', () => {
      resolve();
    });
  });
  const output = collectOutput(child);
  const stop = async (): Promise<void> => {
    await endChild(child, closed);
    await rm(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
  };
  t.teardown(stop);
  const url = await waitUntilReady(child, readyPath, output);
  return { url, folder, pid: child.pid ?? 0, output, stop };
}

function collectOutput(child: ChildProcess): () => string {
  let text = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding('utf8').on('data', (part: string) => {
      text = (text + part).slice(-OUTPUT_CHARACTERS_MAX);
    });
  }
  return () => text;
}

/** What a test server holds is thrown away, so nothing is lost by force. */
async function endChild(child: ChildProcess, closed: Promise<void>): Promise<void> {
  child.kill('SIGKILL');
  const timeout = new AbortController();
  const late = delay(STOP_TIMEOUT_MS, 'late', { signal: timeout.signal }).catch(() => 'closed');
  const first = await Promise.race([closed, late]);
  timeout.abort();
  if (first === 'late') throw new Error(`process ${child.pid ?? 0} does not end`);
}

async function waitUntilReady(
  child: ChildProcess,
  readyPath: string,
  output: () => string,
): Promise<string> {
  const deadline = performance.now() + READY_TIMEOUT_MS;
  while (performance.now() < deadline) {
    if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) {
      throw new Error(`${child.spawnfile} ended before it was ready:\n${output().slice(-2000)}`);
    }
    const port = listeningPort(child.pid);
    if (port !== undefined) {
      const url = `http://127.0.0.1:${port}`;
      if (await isReady(`${url}${readyPath}`)) return url;
    }
    await delay(POLL_MS);
  }
  throw new Error(`${child.spawnfile} is not ready:\n${output().slice(-2000)}`);
}

async function isReady(url: string): Promise<boolean> {
  try {
    const answer = await fetch(url, { signal: AbortSignal.timeout(ASK_TIMEOUT_MS) });
    await answer.arrayBuffer();
    return answer.ok;
  } catch {
    return false;
  }
}

/** The port that a process listens on, from the kernel: not every server tells the one it got. */
function listeningPort(pid: number): number | undefined {
  const inodes = socketInodes(pid);
  for (const line of readFileSync('/proc/net/tcp', 'utf8').split('\n').slice(1)) {
    const [, local = '', , state, , , , , , inode = ''] = line.trim().split(/\s+/);
    if (state !== '0A' || !inodes.has(inode)) continue;
    return Number.parseInt(local.split(':')[1] ?? '', 16);
  }
  return undefined;
}

function socketInodes(pid: number): Set<string> {
  const inodes = new Set<string>();
  const folder = `/proc/${pid}/fd`;
  for (const name of readdirSync(folder)) {
    try {
      const inode = /^socket:\[(\d+)\]$/.exec(readlinkSync(join(folder, name)))?.[1];
      if (inode !== undefined) inodes.add(inode);
    } catch {
      // Closed meanwhile.
    }
  }
  return inodes;
}
