import { Agent } from 'node:http';
import test from 'ava';
import { call, expectReady, findFreePort, withFunction } from '../../functions/running-function.ts';
import type { Answer, ReadyListener, Running } from '../../functions/running-function.ts';

const TEXTS = { 'hello-go': 'Hello from go!\n', 'hello-node': 'Hello from node!\n' };
type FunctionName = keyof typeof TEXTS;
const NAMES = Object.keys(TEXTS) as FunctionName[];

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
      t.is(answer.body.toString(), TEXTS[name]);
      t.regex(answer.headers['content-type'] ?? '', /^text\/plain/);
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
        t.is((await call(running, '/hello', { agent })).body.toString(), TEXTS[name]);
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
