import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { workerdConfig } from '../../../agent/sandboxes/workerd-config.ts';
import { builtArtefacts, call, findFreePort } from '../../functions/running-function.ts';

const CHECKOUT = join(import.meta.dirname, '..', '..', '..');
const WASI_HOST = join(CHECKOUT, 'agent', 'sandboxes', 'wasi-host', 'main.mjs');
const WORKER = join(CHECKOUT, 'provisioning', 'functions', 'worker', 'hello.mjs');

interface Worker {
  readonly default: { fetch(request: Request): Response };
}

test('hello-wasm answers, computes, and can open nothing outside its folder', async (t) => {
  const digest = (await builtArtefacts.names())['hello-wasm'];
  if (digest === undefined) {
    t.log('skipped: hello-wasm was not built; npm run setup -- --sandboxes wasi');
    t.pass();
    return;
  }
  const module = join(await builtArtefacts.assemble(digest), 'hello.wasm');
  const folder = await mkdtemp(join(tmpdir(), 'lockstep-test-'));
  await writeFile(join(folder, 'own'), 'seven..');
  const ready = createServer((_, response) => response.end()).listen(0, '127.0.0.1');
  await once(ready, 'listening');
  const { port: readyPort } = ready.address() as AddressInfo;
  const at = { host: '127.0.0.40', port: await findFreePort('127.0.0.40') };
  const words = ['--module', module, '--tmp', folder, '--listen', `${at.host}:${at.port}`];
  const child = spawn(
    process.execPath,
    [WASI_HOST, ...words, '--ready', `http://127.0.0.1:${readyPort}/ready`],
    { stdio: ['ignore', 'pipe', 'ignore'] },
  );
  let printed = '';
  child.stdout.on('data', (chunk: Buffer) => (printed += chunk.toString()));
  try {
    await once(ready, 'request', { signal: AbortSignal.timeout(20_000) });
    t.is(printed, 'lockstep:main\n');
    const expected: [path: string, status: number, body: RegExp][] = [
      ['/hello', 200, /^Hello from wasm!\n$/],
      ['/fib?n=94', 200, /^1293530146158671551\n$/],
      ['/alloc?mib=20', 200, /^5120\n$/],
      ['/alloc?mib=5000', 500, /32 bits/],
      ['/fib?n=0', 400, /from 1 to/],
      ['/fib?m=1', 400, /from 1 to/],
      ['/open?path=/tmp/own', 200, /^7\n$/],
      ['/open?path=/tmp/other', 404, /No such file/],
      ['/open?path=/etc/passwd', 403, /insufficient/],
      ['/open?path=/tmp/../../../etc/passwd', 403, /./],
      ['/other', 404, /^$/],
      [`/${'x'.repeat(2000)}`, 404, /^$/],
    ];
    for (const [path, status, body] of expected) {
      const answer = await call(at, path);
      t.is(answer.status, status, path);
      t.regex(answer.body.toString(), body, path);
      const isTimed = status === 200 && /fib|alloc/.test(path);
      t.is(answer.headers['lockstep-duration-ns'] !== undefined, isTimed, path);
    }
    t.is((await call(at, '/hello', { method: 'POST' })).status, 404);
    child.kill('SIGTERM');
    t.deepEqual(await once(child, 'exit'), [0, null]);
  } finally {
    child.kill('SIGKILL');
    ready.close();
    ready.closeAllConnections();
    await rm(folder, { recursive: true, force: true });
  }
});

test('hello-worker answers and computes as the other functions do', async (t) => {
  const worker = (await import(WORKER)) as Worker;
  const ask = async (path: string) => {
    const answer = worker.default.fetch(new Request(`http://worker${path}`));
    return `${answer.status} ${await answer.text()}`;
  };
  t.is(await ask('/hello'), '200 Hello from worker!\n');
  t.is(await ask('/fib?n=1'), '200 1\n');
  t.is(await ask('/fib?n=93'), '200 12200160415121876738\n');
  t.is(await ask('/fib?n=94'), '200 1293530146158671551\n');
  t.is(await ask('/fib?n=500'), '200 2171430676560690477\n');
  t.is(await ask('/alloc?mib=2'), '200 512\n');
  for (const path of ['/fib?n=0', '/fib?n=1.5', '/fib?m=1', '/alloc?mib=101']) {
    t.regex(await ask(path), /^400 .*\n/, path);
  }
  t.is(await ask('/toString'), '404 ');
});

test('the configuration of a worker takes no text that could end its own', (t) => {
  t.regex(workerdConfig({ script: 'hello.mjs', listen: '10.0.0.2:8080' }), /embed "hello\.mjs"/);
  t.throws(() => workerdConfig({ script: 'a" b', listen: '10.0.0.2:8080' }), {
    instanceOf: RangeError,
  });
});
