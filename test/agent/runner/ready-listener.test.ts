import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { ReadyListener } from '../../../agent/runner/ready-listener.ts';
import { rejection } from '../../support/rejection.ts';

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '0.0.0.0');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

async function openListener(
  t: ExecutionContext,
): Promise<{ listener: ReadyListener; port: number }> {
  const port = await freePort();
  const listener = await ReadyListener.open(port);
  t.teardown(() => listener.close());
  return { listener, port };
}

async function connectFrom(localAddress: string, port: number): Promise<Socket> {
  const socket = connect({ host: '127.0.0.1', port, localAddress });
  socket.on('error', () => undefined);
  await once(socket, 'connect');
  return socket;
}

/** Calls as a function does, from an address; gives the answer. */
async function callFrom(localAddress: string, port: number): Promise<string> {
  const socket = await connectFrom(localAddress, port);
  socket.write('GET / HTTP/1.1\r\nHost: ready\r\n\r\n');
  let answer = '';
  for await (const chunk of socket) answer += String(chunk);
  return answer;
}

test('ReadyListener tells each instance by the address that it calls from', async (t) => {
  const { listener, port } = await openListener(t);
  const told: string[] = [];
  for (const address of ['127.0.0.11', '127.0.0.12', '127.0.0.13']) {
    listener.expect(address, () => told.push(address));
  }
  t.regex(await callFrom('127.0.0.12', port), /^HTTP\/1\.1 200 OK\r\n/);
  t.deepEqual(told, ['127.0.0.12']);
  await callFrom('127.0.0.11', port);
  t.deepEqual(told, ['127.0.0.12', '127.0.0.11']);
});

test('ReadyListener stamps the call when it arrives', async (t) => {
  const { listener, port } = await openListener(t);
  const stamp = Promise.withResolvers<bigint>();
  listener.expect('127.0.0.11', stamp.resolve);
  const beginNs = process.hrtime.bigint();
  await callFrom('127.0.0.11', port);
  const stampNs = await stamp.promise;
  t.true(stampNs > beginNs && stampNs < process.hrtime.bigint());
});

test('ReadyListener calls back once, however often an instance calls', async (t) => {
  const { listener, port } = await openListener(t);
  let count = 0;
  listener.expect('127.0.0.11', () => (count += 1));
  await callFrom('127.0.0.11', port);
  t.regex(await callFrom('127.0.0.11', port), /200 OK/);
  t.is(count, 1);
});

test('ReadyListener answers an unknown address and tells nobody', async (t) => {
  const { listener, port } = await openListener(t);
  let count = 0;
  listener.expect('127.0.0.11', () => (count += 1));
  t.regex(await callFrom('127.0.0.99', port), /200 OK/);
  t.is(count, 0);
});

test('ReadyListener does not call back for an address that it was to forget', async (t) => {
  const { listener, port } = await openListener(t);
  let count = 0;
  listener.expect('127.0.0.11', () => (count += 1));
  listener.forget('127.0.0.11');
  await callFrom('127.0.0.11', port);
  t.is(count, 0);
});

test('ReadyListener refuses a port that is taken with PORT_IN_USE', async (t) => {
  const { port } = await openListener(t);
  const error = await rejection(ReadyListener.open(port));
  t.is(error.code, 'PORT_IN_USE');
  t.true(error.message.includes(String(port)));
});

test('ReadyListener serves others while a connection is silent', async (t) => {
  const { listener, port } = await openListener(t);
  const silent = await connectFrom('127.0.0.50', port);
  t.teardown(() => silent.destroy());
  let count = 0;
  listener.expect('127.0.0.11', () => (count += 1));
  t.regex(await callFrom('127.0.0.11', port), /200 OK/);
  t.is(count, 1);
});

test('ReadyListener survives a connection that is reset', async (t) => {
  const { listener, port } = await openListener(t);
  const first = Promise.withResolvers<bigint>();
  listener.expect('127.0.0.50', first.resolve);
  const rude = await connectFrom('127.0.0.50', port);
  rude.resetAndDestroy();
  await first.promise;
  t.regex(await callFrom('127.0.0.11', port), /200 OK/);
});

test('ReadyListener closes although a connection is still open', async (t) => {
  const port = await freePort();
  const listener = await ReadyListener.open(port);
  const arrived = Promise.withResolvers<bigint>();
  listener.expect('127.0.0.50', arrived.resolve);
  const silent = await connectFrom('127.0.0.50', port);
  await arrived.promise;
  const ended = once(silent, 'close');
  silent.resume();
  const timeout = Promise.withResolvers<string>();
  const timer = setTimeout(timeout.resolve, 2500, 'still open');
  const outcome = await Promise.race([listener.close().then(() => 'closed'), timeout.promise]);
  clearTimeout(timer);
  silent.destroy();
  await ended;
  t.is(outcome, 'closed');
});
