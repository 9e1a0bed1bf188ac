import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createServer, request } from 'node:http';
import type { Agent, IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http';
import { createServer as createTcpServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import { ArtefactCache } from '../../bus/artefact-cache.ts';

const CHECKOUT = join(import.meta.dirname, '..', '..');

const CALL_TIMEOUT_MS = 30_000;

/** What was built in this checkout. */
export const builtArtefacts = new ArtefactCache(join(CHECKOUT, '.lockstep', 'cache'));

/** What a function answered. */
export interface Answer {
  readonly status: number | undefined;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

/** A function that runs on loopback as it would in a sandbox. */
export interface Running {
  readonly child: ChildProcess;
  readonly host: string;
  readonly port: number;
  readonly output: { stdout: string; stderr: string };
  readonly exit: Promise<number | null>;
}

/** How a function is started. */
interface FunctionOptions {
  readonly host: string;
  readonly readyUrl?: string;
  readonly onReady?: ReadyListener;
  /** All its arguments, in place of the usual ones. */
  readonly words?: readonly string[];
  /** Arguments after the usual ones. */
  readonly extraWords?: readonly string[];
}

/** Answers the ready call. */
export type ReadyListener = (incoming: IncomingMessage, response: ServerResponse) => void;

async function commandOf(name: string): Promise<string[] | undefined> {
  const digest = (await builtArtefacts.names())[name];
  if (digest === undefined) return undefined;
  const manifest = await builtArtefacts.readManifest(digest);
  const root = await builtArtefacts.assemble(digest);
  return manifest.entry.map((word) => word.replaceAll('{root}', root));
}

/** Starts a function of this checkout, with a ready listener unless its URL is given. */
export async function withFunction(
  t: ExecutionContext,
  name: string,
  options: FunctionOptions,
  run: (running: Running) => Promise<void>,
): Promise<void> {
  const command = await commandOf(name);
  if (command === undefined) {
    t.log(`skipped: ${name} was not built on this machine; run the set-up`);
    t.pass();
    return;
  }
  const listener = createServer(options.onReady ?? ((_, response) => response.end()));
  listener.listen(0, '127.0.0.1');
  await once(listener, 'listening');
  const readyPort = (listener.address() as AddressInfo).port;
  const port = await findFreePort(options.host);
  const readyUrl = options.readyUrl ?? `http://127.0.0.1:${readyPort}/ready`;
  const standard = ['--listen', `${options.host}:${port}`, '--ready', readyUrl];
  const words = options.words ?? [...standard, ...(options.extraWords ?? [])];
  const [program = '', ...rest] = command;
  const child = spawn(program, [...rest, ...words], { stdio: ['ignore', 'pipe', 'pipe'] });
  const output = { stdout: '', stderr: '' };
  child.stdout.on('data', (chunk: Buffer) => (output.stdout += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (output.stderr += chunk.toString()));
  const exit = once(child, 'close').then(([code]) => code as number | null);
  try {
    await run({ child, host: options.host, port, output, exit });
  } finally {
    child.kill('SIGKILL');
    await exit;
    listener.close();
    listener.closeAllConnections();
  }
}

/** A port that was free a moment ago. */
export async function findFreePort(host: string): Promise<number> {
  const server = createTcpServer().listen(0, host);
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

/** Calls the function. */
export async function call(
  { host, port }: Pick<Running, 'host' | 'port'>,
  path: string,
  options: { method?: string; agent?: Agent } = {},
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const signal = AbortSignal.timeout(CALL_TIMEOUT_MS);
    const outgoing = request({ host, port, path, signal, ...options }, (response) => {
      const parts: Buffer[] = [];
      response.on('data', (part: Buffer) => parts.push(part)).on('error', reject);
      response.on('end', () => {
        const { headers, statusCode: status } = response;
        resolve({ status, headers, body: Buffer.concat(parts) });
      });
    });
    outgoing.on('error', reject).end();
  });
}

/** A ready listener, and a promise of the first call to it. */
export function expectReady(): { onReady: ReadyListener; called: Promise<IncomingMessage> } {
  const { promise, resolve } = Promise.withResolvers<IncomingMessage>();
  return {
    called: promise,
    onReady: (incoming, response) => {
      response.end();
      resolve(incoming);
    },
  };
}
