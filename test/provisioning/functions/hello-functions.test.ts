import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { Agent, createServer, request } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer as createTcpServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { ArtefactCache } from '../../../bus/artefact-cache.ts';

const CHECKOUT = join(import.meta.dirname, '..', '..', '..');
const cache = new ArtefactCache(join(CHECKOUT, '.lockstep', 'cache'));
const TEXTS = { 'hello-go': 'Hello from go!\n', 'hello-node': 'Hello from node!\n' };
type FunctionName = keyof typeof TEXTS;
const NAMES = Object.keys(TEXTS) as FunctionName[];

interface Answer {
  readonly status: number | undefined;
  readonly contentType: string | undefined;
  readonly body: string;
}

/** A function that runs on loopback as it would in a sandbox. */
interface Running {
  readonly child: ChildProcess;
  readonly host: string;
  readonly port: number;
  readonly output: { stdout: string; stderr: string };
  readonly exit: Promise<number | null>;
}

type ReadyListener = (incoming: IncomingMessage, response: ServerResponse) => void;

async function commandOf(name: FunctionName): Promise<string[] | undefined> {
  const digest = (await cache.names())[name];
  if (digest === undefined) return undefined;
  const manifest = await cache.readManifest(digest);
  const root = await cache.assemble(digest);
  return manifest.entry.map((word) => word.replaceAll('{root}', root));
}

/** Starts the function, with a ready listener unless its URL is given. */
async function withFunction(
  t: ExecutionContext,
  name: FunctionName,
  options: { host: string; readyUrl?: string; onReady?: ReadyListener; words?: string[] },
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
  const words = options.words ?? ['--listen', `${options.host}:${port}`, '--ready', readyUrl];
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

async function findFreePort(host: string): Promise<number> {
  const server = createTcpServer().listen(0, host);
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

async function call(
  { host, port }: Pick<Running, 'host' | 'port'>,
  path: string,
  options: { method?: string; agent?: Agent } = {},
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const signal = AbortSignal.timeout(10_000);
    const outgoing = request({ host, port, path, signal, ...options }, (response) => {
      let body = '';
      response.setEncoding('utf8').on('data', (text: string) => (body += text));
      response.on('end', () => {
        const contentType = response.headers['content-type'];
        resolve({ status: response.statusCode, contentType, body });
      });
    });
    outgoing.on('error', reject).end();
  });
}

/** A ready listener, and a promise of the first call to it. */
function expectReady(): { onReady: ReadyListener; called: Promise<IncomingMessage> } {
  const { promise, resolve } = Promise.withResolvers<IncomingMessage>();
  return {
    called: promise,
    onReady: (incoming, response) => {
      response.end();
      resolve(incoming);
    },
  };
}

for (const [index, name] of NAMES.entries()) {
  const host = `127.0.0.${20 + index}`;

  test(`${name} answers before it signals ready, and signals it once from its address`, async (t) => {
    const calls: string[] = [];
    const { promise, resolve, reject } = Promise.withResolvers<Answer>();
    let target: Pick<Running, 'host' | 'port'> | undefined;
    const onReady: ReadyListener = (incoming, response) => {
      calls.push(`${incoming.method ?? ''} ${incoming.url ?? ''}`);
      t.is(incoming.socket.remoteAddress, host);
      if (target === undefined) return;
      // The call is answered only when the function has answered another meanwhile.
      call(target, '/hello')
        .finally(() => response.end())
        .then(resolve, reject);
    };
    await withFunction(t, name, { host, onReady }, async (running) => {
      target = running;
      const answer = await promise;
      t.is(answer.status, 200);
      t.is(answer.body, TEXTS[name]);
      t.regex(answer.contentType ?? '', /^text\/plain/);
      t.is(running.output.stdout, 'lockstep:main\n');
      t.is((await call(running, '/hello')).status, 200);
      t.deepEqual(calls, ['GET /ready']);
      t.is(running.output.stderr, '');
    });
  });

  test(`${name} answers 404 to everything else`, async (t) => {
    const { onReady, called } = expectReady();
    await withFunction(t, name, { host, onReady }, async (running) => {
      await called;
      t.is((await call(running, '/')).status, 404);
      t.is((await call(running, '/hello/')).status, 404);
      t.is((await call(running, '//hello')).status, 404);
      t.is((await call(running, '/hello', { method: 'POST' })).status, 404);
      t.is((await call(running, '/hello', { method: 'HEAD' })).status, 404);
      t.is((await call(running, '/hello?x=1')).status, 200);
    });
  });

  test(`${name} serves several requests on one connection`, async (t) => {
    const { onReady, called } = expectReady();
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    await withFunction(t, name, { host, onReady }, async (running) => {
      await called;
      let sockets = 0;
      agent.on('free', () => (sockets = Object.values(agent.freeSockets).flat().length));
      for (let i = 0; i < 3; i += 1) {
        t.is((await call(running, '/hello', { agent })).body, TEXTS[name]);
      }
      t.is(sockets, 1);
    });
    agent.destroy();
  });

  test(`${name} ends with 0 on SIGTERM, also with an idle connection`, async (t) => {
    const { onReady, called } = expectReady();
    const agent = new Agent({ keepAlive: true });
    await withFunction(t, name, { host, onReady }, async (running) => {
      await called;
      await call(running, '/hello', { agent });
      running.child.kill('SIGTERM');
      t.is(await running.exit, 0);
      t.is(running.output.stderr, '');
    });
    agent.destroy();
  });

  test(`${name} ends with 3 when nobody answers the ready call`, async (t) => {
    const port = await findFreePort('127.0.0.1');
    const readyUrl = `http://127.0.0.1:${port}/ready`;
    await withFunction(t, name, { host, readyUrl }, async (running) => {
      t.is(await running.exit, 3);
      t.regex(running.output.stderr, /the ready call failed: .*refused/i);
    });
  });

  test(`${name} ends with 3 when the ready call is answered with an error`, async (t) => {
    const onReady: ReadyListener = (_, response) => response.writeHead(500).end();
    await withFunction(t, name, { host, onReady }, async (running) => {
      t.is(await running.exit, 3);
      t.regex(running.output.stderr, /answered 500/);
    });
  });

  test(`${name} ends with 2 and says which argument it does not understand`, async (t) => {
    const words = ['--listen', `${host}:1`, '--redy', 'http://127.0.0.1:1/'];
    await withFunction(t, name, { host, words }, async (running) => {
      t.is(await running.exit, 2);
      t.regex(running.output.stderr, /--redy/);
      t.is(running.output.stdout, 'lockstep:main\n');
    });
  });
}
