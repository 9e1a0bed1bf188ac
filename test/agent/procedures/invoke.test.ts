import { once } from 'node:events';
import { createServer } from 'node:http';
import type { RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { invoke } from '../../../agent/procedures/invoke.ts';
import type { InvocationTarget } from '../../../agent/procedures/invoke.ts';
import { rejection } from '../../support/rejection.ts';

const never = new AbortController().signal;

/** Serves until the test ends. */
async function serve(
  t: ExecutionContext,
  answer: RequestListener,
): Promise<InvocationTarget & { close: () => Promise<void> }> {
  const server = createServer(answer);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const close = async (): Promise<void> => {
    if (!server.listening) return;
    const closed = once(server, 'close');
    server.close();
    server.closeAllConnections();
    await closed;
  };
  t.teardown(close);
  return { address: '127.0.0.1', port, path: '/hello', timeoutMs: 10_000, close };
}

test('invoke tells status, size and stamps of the answer', async (t) => {
  let path: string | undefined;
  const target = await serve(t, (asked, response) => {
    path = asked.url;
    response.end('Hello from go!\n');
  });
  const beginNs = process.hrtime.bigint();
  const { status, responseBytes, firstByteAtMonoNs, lastByteAtMonoNs } = await invoke(
    target,
    never,
  );
  t.deepEqual({ status, responseBytes, path }, { status: 200, responseBytes: 15, path: '/hello' });
  t.true(beginNs < firstByteAtMonoNs);
  t.true(firstByteAtMonoNs <= lastByteAtMonoNs);
  t.true(lastByteAtMonoNs <= process.hrtime.bigint());
});

test('invoke passes another status through', async (t) => {
  const target = await serve(t, (_, response) => {
    response.writeHead(500).end('no');
  });
  const { status, responseBytes } = await invoke(target, never);
  t.deepEqual({ status, responseBytes }, { status: 500, responseBytes: 2 });
});

test('invoke counts the whole of a large answer', async (t) => {
  const target = await serve(t, (_, response) => {
    response.write(Buffer.alloc(300_000));
    response.end(Buffer.alloc(700_001));
  });
  t.is((await invoke(target, never)).responseBytes, 1_000_001);
});

test('invoke fails with FUNCTION_CRASHED if nobody listens', async (t) => {
  const target = await serve(t, () => undefined);
  await target.close();
  const error = await rejection(invoke(target, never));
  t.is(error.code, 'FUNCTION_CRASHED');
  t.true(error.message.includes(`http://127.0.0.1:${target.port}/hello`), error.message);
  t.regex(error.message, /ECONNREFUSED/);
});

test('invoke fails with FUNCTION_CRASHED if the connection ends without an answer', async (t) => {
  const target = await serve(t, (asked) => {
    asked.socket.destroy();
  });
  t.is((await rejection(invoke(target, never))).code, 'FUNCTION_CRASHED');
});

test('invoke fails with FUNCTION_CRASHED if the body is cut off', async (t) => {
  const target = await serve(t, (_, response) => {
    response.writeHead(200, { 'Content-Length': 100 });
    response.write('only this', () => {
      response.destroy();
    });
  });
  t.is((await rejection(invoke(target, never))).code, 'FUNCTION_CRASHED');
});

test('invoke fails with DEADLINE_EXCEEDED if there is never an answer', async (t) => {
  const target = await serve(t, () => undefined);
  const error = await rejection(invoke({ ...target, timeoutMs: 80 }, never));
  t.is(error.code, 'DEADLINE_EXCEEDED');
  t.regex(error.message, /within 80 ms/);
});

test('invoke fails with DEADLINE_EXCEEDED if the body never ends', async (t) => {
  const target = await serve(t, (_, response) => {
    response.write('begun');
  });
  t.is((await rejection(invoke({ ...target, timeoutMs: 200 }, never))).code, 'DEADLINE_EXCEEDED');
});

test('invoke ends at once when its signal aborts', async (t) => {
  const abort = new AbortController();
  const target = await serve(t, () => {
    abort.abort();
  });
  const error = await rejection(invoke(target, abort.signal));
  t.not(error.code, 'DEADLINE_EXCEEDED');
});
