import test from 'ava';
import { z } from 'zod';
import { connectBus } from '../../bus/connection.ts';
import { MAX_MESSAGE_BYTES } from '../../bus/wire-format.ts';
import { issueCredentials } from '../../provisioning/nats/credentials.ts';
import { LockstepError } from '../../schemas/errors.ts';
import { protocolField } from '../../schemas/protocol.ts';
import { commandSubject, PRESENCE_WILDCARD, presenceSubject } from '../../schemas/subjects.ts';
import { Nanoseconds } from '../../schemas/units.ts';
import { startTestBus } from '../support/nats-server.ts';
import { rejection } from '../support/rejection.ts';

const Question = z.object({ ...protocolField, number: z.int(), atNs: Nanoseconds.optional() });
const Answer = z.object({ ...protocolField, doubled: z.int(), atNs: Nanoseconds.optional() });
const exchange = { request: Question, reply: Answer };
const SUBJECT = commandSubject('d1', 'prepare');

test('a request gets the typed reply of the device', async (t) => {
  const server = await startTestBus(t);
  const device = await server.connect({ role: 'device', user: 'd1' });
  const coordinator = await server.connect({ role: 'coordinator', user: 'coordinator' });
  await device.respond(SUBJECT, exchange, ({ number, atNs }) => ({
    doubled: 2 * number,
    ...(atNs === undefined ? {} : { atNs: atNs + 1n }),
  }));
  const asked = { number: 21, atNs: 2n ** 60n };
  const reply = await coordinator.request(SUBJECT, exchange, asked, { timeoutMs: 5000 });
  t.deepEqual(reply, { protocol: 1, doubled: 42, atNs: 2n ** 60n + 1n });
});

test('headers of a request reach the responder; without any it gets none', async (t) => {
  const server = await startTestBus(t);
  const device = await server.connect({ role: 'device', user: 'd1' });
  const coordinator = await server.connect({ role: 'coordinator', user: 'coordinator' });
  const seen: Readonly<Record<string, string>>[] = [];
  await device.respond(SUBJECT, exchange, ({ number }, _subject, headers) => {
    seen.push(headers);
    return { doubled: 2 * number };
  });
  const traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';
  const ask = (headers?: Record<string, string>) =>
    coordinator.request(
      SUBJECT,
      exchange,
      { number: 1 },
      { timeoutMs: 5000, ...(headers === undefined ? {} : { headers }) },
    );
  await ask({ traceparent, Traceparent: 'by case another' });
  await ask({});
  await ask();
  // What is longer than any trace context is nothing that could be used.
  await ask({ traceparent, tracestate: 'x'.repeat(1025) });
  t.deepEqual(seen, [{ traceparent, Traceparent: 'by case another' }, {}, {}, { traceparent }]);
});

test('an error thrown by the responder arrives with code, message and hint', async (t) => {
  const server = await startTestBus(t);
  const device = await server.connect({ role: 'device', user: 'd1' });
  const coordinator = await server.connect({ role: 'coordinator', user: 'coordinator' });
  await device.respond(SUBJECT, exchange, ({ number }) => {
    if (number === 0) throw new TypeError('a bug\nof two lines');
    throw new LockstepError('AGENT_BUSY', 'serves run ä', { hint: 'Wait.' });
  });
  const ask = (number: number) =>
    rejection(coordinator.request(SUBJECT, exchange, { number }, { timeoutMs: 5000 }));
  const busy = await ask(1);
  t.deepEqual([busy.code, busy.message, busy.hint], ['AGENT_BUSY', 'serves run ä', 'Wait.']);
  const bug = await ask(0);
  t.deepEqual([bug.code, bug.message], ['INTERNAL', 'a bug of two lines']);
});

test('an unsupported protocol version is refused by name on both ends', async (t) => {
  const server = await startTestBus(t);
  const device = await server.connect({ role: 'device', user: 'd1' });
  const coordinator = await server.connect({ role: 'coordinator', user: 'coordinator' });
  await device.respond(SUBJECT, exchange, () => ({ doubled: 1 }));
  const newer = Buffer.from('{"protocol":7,"number":1}');
  const refused = await rejection(coordinator.requestRaw(SUBJECT, newer, 5000));
  t.is(refused.code, 'PROTOCOL_UNSUPPORTED');
  t.regex(refused.message, /protocol version 7; this release reads 1/);

  const other = commandSubject('d1', 'arm');
  await device.respondRaw(other, () => Buffer.from('{"protocol":8,"doubled":1}'));
  const asked = coordinator.request(other, exchange, { number: 1 }, { timeoutMs: 5000 });
  const unread = await rejection(asked);
  t.is(unread.code, 'PROTOCOL_UNSUPPORTED');
  t.regex(unread.message, /protocol version 8/);
});

test('an invalid request gets an error that says what is wrong with it', async (t) => {
  const server = await startTestBus(t);
  const device = await server.connect({ role: 'device', user: 'd1' });
  const coordinator = await server.connect({ role: 'coordinator', user: 'coordinator' });
  await device.respond(SUBJECT, exchange, () => ({ doubled: 1 }));
  for (const [bytes, pattern] of [
    [Buffer.from('{"protocol":1,"number":"x"}'), /number/],
    [Buffer.from('{"protocol":1'), /not JSON/],
    [Buffer.from([0xff, 0xfe]), /not JSON/],
    [Buffer.alloc(0), /not JSON/],
  ] as const) {
    const error = await rejection(coordinator.requestRaw(SUBJECT, bytes, 5000));
    t.is(error.code, 'MESSAGE_INVALID');
    t.regex(error.message, pattern);
  }
});

test('a request that nobody answers, that is late, or too big fails with its code', async (t) => {
  const server = await startTestBus(t);
  const device = await server.connect({ role: 'device', user: 'd1' });
  const coordinator = await server.connect({ role: 'coordinator', user: 'coordinator' });
  const ask = (timeoutMs: number) =>
    rejection(coordinator.request(SUBJECT, exchange, { number: 1 }, { timeoutMs }));
  const nobody = await ask(5000);
  t.is(nobody.code, 'NOT_FOUND');
  t.true(nobody.message.includes(SUBJECT) && nobody.hint !== undefined);

  const gate = Promise.withResolvers<{ doubled: number }>();
  const listening = await device.respond(SUBJECT, exchange, () => gate.promise);
  t.is((await ask(50)).code, 'DEADLINE_EXCEEDED');
  gate.resolve({ doubled: 0 });
  await listening.close();
  t.is((await ask(5000)).code, 'NOT_FOUND');

  const big = Buffer.alloc(MAX_MESSAGE_BYTES + 1);
  t.is((await rejection(coordinator.requestRaw(SUBJECT, big, 5000))).code, 'MESSAGE_INVALID');
});

test('requests over the bound in flight are refused, others still answered', async (t) => {
  const server = await startTestBus(t);
  const device = await server.connect({ role: 'device', user: 'd1' });
  const coordinator = await server.connect({ role: 'coordinator', user: 'coordinator' });
  const gate = Promise.withResolvers<{ doubled: number }>();
  await device.respond(SUBJECT, exchange, () => gate.promise, { maxInFlight: 2 });
  const ask = () => coordinator.request(SUBJECT, exchange, { number: 1 }, { timeoutMs: 10_000 });
  const served = [ask(), ask()];
  t.is((await rejection(ask())).code, 'BUS_UNAVAILABLE');
  gate.resolve({ doubled: 3 });
  t.deepEqual(
    (await Promise.all(served)).map(({ doubled }) => doubled),
    [3, 3],
  );
});

test('a subscriber gets messages in order, and invalid ones do not stop it', async (t) => {
  const server = await startTestBus(t);
  const device = await server.connect({ role: 'device', user: 'd1' });
  const coordinator = await server.connect({ role: 'coordinator', user: 'coordinator' });
  const seen: number[] = [];
  const all = Promise.withResolvers<undefined>();
  await coordinator.subscribe(PRESENCE_WILDCARD, Question, async ({ number }, subject) => {
    t.is(subject, presenceSubject('d1'));
    await new Promise((resolve) => setImmediate(resolve));
    seen.push(number);
    if (number === 3) throw new Error('a handler that fails');
    if (number === 100) all.resolve(undefined);
  });
  for (let number = 1; number <= 100; number += 1) {
    device.publish(presenceSubject('d1'), Question, { number });
    if (number === 50) device.connection.publish(presenceSubject('d1'), 'not a message');
  }
  await all.promise;
  t.deepEqual(
    seen,
    Array.from({ length: 100 }, (_, index) => index + 1),
  );
});

test('a subject that the credential does not cover is refused as BUS_DENIED', async (t) => {
  const server = await startTestBus(t);
  const device = await server.connect({ role: 'device', user: 'd1' });
  const request = device.requestRaw(commandSubject('d2', 'go'), Buffer.from('x'), 5000);
  t.is((await rejection(request)).code, 'BUS_DENIED');
  const listening = device.respondRaw(commandSubject('d2', 'go'), (bytes) => bytes);
  t.is((await rejection(listening)).code, 'BUS_DENIED');
  t.true(device.isConnected);
});

test('raw requests carry bytes as they are', async (t) => {
  const server = await startTestBus(t);
  const device = await server.connect({ role: 'device', user: 'd1' });
  const timekeeper = await server.connect({ role: 'timekeeper', user: 'timekeeper' });
  await timekeeper.respondRaw('lockstep.time.*', (bytes, subject) =>
    Buffer.concat([bytes, Buffer.from(subject)]),
  );
  const reply = await device.requestRaw('lockstep.time.d1', Uint8Array.of(0, 255), 5000);
  t.deepEqual(Buffer.from(reply), Buffer.from('\0\xfflockstep.time.d1', 'latin1'));
});

test('a server that is not there is BUS_UNAVAILABLE after the wait, or CANCELLED', async (t) => {
  const options = {
    servers: 'nats://127.0.0.1:9',
    credentials: undefined,
    name: 'test',
    user: 'd1',
  };
  const unavailable = await rejection(connectBus({ ...options, waitMs: 300 }));
  t.is(unavailable.code, 'BUS_UNAVAILABLE');
  t.regex(unavailable.message, /127\.0\.0\.1:9/);
  const cancelling = new AbortController();
  const waiting = connectBus({ ...options, waitMs: Infinity, signal: cancelling.signal });
  cancelling.abort();
  t.is((await rejection(waiting)).code, 'CANCELLED');
});

test('a foreign, swapped or missing credential is BUS_DENIED', async (t) => {
  const server = await startTestBus(t);
  const d1 = issueCredentials(server.trust, { role: 'device', user: 'd1' });
  const d2 = issueCredentials(server.trust, { role: 'device', user: 'd2' });
  const attempts = [
    { credentials: { jwt: d1.jwt, seed: d2.seed }, user: 'd1' },
    { credentials: d2, user: 'd1' },
    { credentials: { jwt: d1.jwt, seed: 'SUBROKEN' }, user: 'd1' },
    { credentials: { jwt: 'nonsense', seed: d1.seed }, user: 'd1' },
    { credentials: undefined, user: 'd1' },
  ];
  for (const attempt of attempts) {
    const error = await rejection(connectBus({ ...attempt, servers: server.url, name: 'test' }));
    t.is(error.code, 'BUS_DENIED');
  }
});
