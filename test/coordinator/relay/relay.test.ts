import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { jetstreamManager } from '@nats-io/jetstream';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { pino } from 'pino';
import type { Bus } from '../../../bus/bus.ts';
import { listConsumers, removeConsumer } from '../../../bus/stream-consumers.ts';
import { ensureStream, publishDurable, TELEMETRY } from '../../../bus/streams.ts';
import { Relay } from '../../../coordinator/relay/relay.ts';
import { issueCredentials, writeCredentials } from '../../../provisioning/nats/credentials.ts';
import { telemetrySubject, TELEMETRY_STREAM } from '../../../schemas/subjects.ts';
import type { Destination } from '../../../telemetry/payload.ts';
import { messageOfPayload } from '../../../telemetry/spool/payload-message.ts';
import { startTestBus } from '../../support/nats-server.ts';
import type { TestBus } from '../../support/nats-server.ts';
import { rejection } from '../../support/rejection.ts';
import { hang, ScriptedDestination, textPayload } from '../../support/scripted-destination.ts';
import { until } from '../../support/until.ts';

const COORDINATOR = { role: 'coordinator', user: 'coordinator' } as const;
const RELAYING = fileURLToPath(new URL('relaying-process.ts', import.meta.url));
const LOGGER = pino({ level: 'silent' });

interface Bench {
  readonly server: TestBus;
  readonly bus: Bus;
  readonly start: (...endpoints: Destination[]) => Promise<Relay>;
  /** Publishes texts as payloads of ten points each. */
  readonly publish: (texts: readonly string[], user?: string) => Promise<void>;
  readonly messages: () => Promise<number>;
}

async function bench(t: ExecutionContext, definition = TELEMETRY): Promise<Bench> {
  const server = await startTestBus(t);
  const bus = await server.connect(COORDINATOR);
  await ensureStream(bus, definition);
  let published = 0;
  return {
    server,
    bus,
    start: async (...endpoints) => {
      const relay = await Relay.start({ bus, endpoints, logger: LOGGER });
      t.teardown(async () => relay.stop());
      return relay;
    },
    publish: async (texts, user = 'd1') => {
      for (const text of texts) {
        const { subject, headers, data } = messageOfPayload(textPayload(text, 10), user);
        published += 1;
        await publishDurable(bus, subject, data, { id: `payload ${published}`, headers });
      }
    },
    messages: async () => {
      const manager = await jetstreamManager(bus.connection, { checkAPI: false });
      return (await manager.streams.info(TELEMETRY_STREAM)).state.messages;
    },
  };
}

const numbered = (count: number, word = ''): string[] =>
  Array.from({ length: count }, (_, index) => `${word}${index}`);

test('every endpoint gets everything, in the order of each device, and none waits', async (t) => {
  const { start, publish, messages } = await bench(t);
  const [quick, stuck] = [new ScriptedDestination('quick'), new ScriptedDestination('stuck')];
  stuck.answer = hang;
  const relay = await start(quick, stuck);
  await Promise.all([publish(numbered(60, 'a'), 'd1'), publish(numbered(60, 'b'), 'd2')]);
  await until(() => quick.accepted.length === 120, 'all at the quick endpoint');
  for (const word of ['a', 'b']) {
    const ofDevice = quick.accepted.filter((text) => text.startsWith(word));
    t.deepEqual(ofDevice, numbered(60, word));
  }
  t.true(quick.mostAtOnce <= 2);
  // Each device has one payload on its way to it, and the first two hang.
  t.deepEqual([...stuck.sent].sort(), ['a0', 'b0']);
  const [quickHealth, stuckHealth] = relay.health;
  t.is(quickHealth?.accepted, 1200);
  t.is(quickHealth?.acceptedPayloads, 120);
  t.is(stuckHealth?.accepted, 0);
  t.false(await relay.drain(0));
  t.is(relay.health[1]?.behind, 120);
  t.is(await messages(), 120);
});

test('an endpoint goes on where it was left, and one that was removed loses its place', async (t) => {
  const { bus, start, publish, messages } = await bench(t);
  const [left, right] = [new ScriptedDestination('left'), new ScriptedDestination('right')];
  left.answer = (text, signal) =>
    text === '2' ? hang(text, signal) : { outcome: 'accepted', rejected: 0 };
  const first = await start(left, right);
  await publish(numbered(5));
  await until(() => right.accepted.length === 5 && left.sent.length === 3, 'what can arrive');
  await first.stop();
  await publish(numbered(3, 'later '));
  t.is(await messages(), 6);

  const again = new ScriptedDestination('left');
  const second = await start(again);
  t.true(await second.drain(60_000));
  t.deepEqual(again.accepted, ['2', '3', '4', ...numbered(3, 'later ')]);
  t.deepEqual(await listConsumers(bus, TELEMETRY_STREAM), ['relay-left']);
  t.is(await messages(), 0);
  t.is(second.health[0]?.missed, 0);
  await second.stop();
  await start();
  t.deepEqual(await listConsumers(bus, TELEMETRY_STREAM), []);
  await publish(['for nobody']);
  t.is(await messages(), 0);
});

test('nothing is lost or doubled over kill -9 of the server, with payloads on their way', async (t) => {
  const { server, start, publish } = await bench(t);
  const endpoint = new ScriptedDestination('one');
  const release = Promise.withResolvers<undefined>();
  endpoint.answer = async (text) => {
    if (text === '20') await release.promise;
    return { outcome: 'accepted', rejected: 0 };
  };
  const relay = await start(endpoint);
  await publish(numbered(40));
  await until(() => endpoint.sent.includes('20'), 'the one that takes its time');
  await server.kill();
  // It is accepted while there is nobody to tell.
  release.resolve(undefined);
  await until(() => endpoint.accepted.includes('20'), 'its acceptance');
  await server.restart();
  await until(() => relay.drain(0), 'the rest');
  t.deepEqual(endpoint.accepted, numbered(40));
  t.deepEqual(endpoint.sent, endpoint.accepted);
  t.is(relay.health[0]?.missed, 0);
});

test('over kill -9 of the relay all arrive in order, and few arrive twice', async (t) => {
  const { server, start, publish } = await bench(t);
  // The endpoint must be known, or the stream keeps nothing for it.
  await (await start(new ScriptedDestination('output'))).stop();
  await publish(numbered(200));
  const credentials = join(server.folder, 'coordinator.creds');
  await writeCredentials(credentials, issueCredentials(server.trust, COORDINATOR));
  const lives: string[][] = [];
  for (const killAfter of [90, Number.POSITIVE_INFINITY]) {
    const words = [RELAYING, server.url, credentials];
    const child = spawn(process.execPath, words, { stdio: ['ignore', 'pipe', 'inherit'] });
    const closed = once(child, 'close');
    const lines: string[] = [];
    for await (const line of createInterface(child.stdout)) {
      lines.push(line);
      if (lines.length >= killAfter || line === '199') child.kill('SIGKILL');
    }
    await closed;
    lives.push(lines);
  }
  t.deepEqual([...new Set(lives.flat())], numbered(200));
  // In each life they are in order, and a new one repeats no more than what was on its way.
  for (const [life, lines] of lives.entries()) {
    const numbers = lines.map(Number);
    t.deepEqual(
      numbers,
      [...numbers].sort((left, right) => left - right),
    );
    const before = lives[life - 1]?.map(Number).at(-1) ?? -1;
    t.true((numbers[0] ?? 0) > before - 8 && (numbers[0] ?? 0) <= before + 1);
  }
});

test('a consumer that somebody removed is made again', async (t) => {
  const { bus, start, publish } = await bench(t);
  const endpoint = new ScriptedDestination('one');
  const relay = await start(endpoint);
  await publish(['1']);
  t.true(await relay.drain(60_000));
  await removeConsumer(bus, TELEMETRY_STREAM, 'relay-one');
  await until(async () => (await listConsumers(bus, TELEMETRY_STREAM)).length === 1, 'it again');
  await publish(['2']);
  await until(() => endpoint.accepted.length === 2, 'what came after');
  t.deepEqual(endpoint.accepted, ['1', '2']);
});

test('a payload is sent again until it is accepted, after the pause that was wished', async (t) => {
  const { start, publish } = await bench(t);
  const endpoint = new ScriptedDestination('one');
  let failures = 2;
  const triesAtMs: number[] = [];
  endpoint.answer = () => {
    triesAtMs.push(performance.now());
    failures -= 1;
    if (failures >= 0) return { outcome: 'retry', message: 'busy', afterMs: 700 };
    return { outcome: 'accepted', rejected: 0 };
  };
  const relay = await start(endpoint);
  await publish(numbered(5));
  t.true(await relay.drain(60_000));
  t.deepEqual(endpoint.sent, ['0', '0', ...numbered(5)]);
  const [first = 0, second = 0, third = 0] = triesAtMs;
  // Timers count in whole milliseconds.
  t.true(second - first >= 699 && third - second >= 699);
  const [health] = relay.health;
  t.is(health?.retries, 2);
  t.regex(health?.lastError?.message ?? '', /busy/);
});

test('while an endpoint fails, one payload at a time is tried', async (t) => {
  const { start, publish } = await bench(t);
  const endpoint = new ScriptedDestination('one');
  endpoint.answer = async () => {
    await delay(20);
    return { outcome: 'retry', message: 'busy' };
  };
  const relay = await start(endpoint);
  const users = numbered(20, 'd');
  await publish(['d0'], 'd0');
  await until(() => relay.health[0]?.retries === 1, 'the first failure');
  for (const user of users.slice(1)) await publish([user], user);
  await until(() => endpoint.sent.length >= 3, 'several tries');
  t.is(endpoint.mostAtOnce, 1);
  t.true(endpoint.sent.length <= 4);
  endpoint.answer = () => ({ outcome: 'accepted', rejected: 0 });
  t.true(await relay.drain(60_000));
  t.deepEqual([...endpoint.accepted].sort(), [...users].sort());
});

test('what is refused is counted and told, and holds up nothing', async (t) => {
  const { bus, start, publish } = await bench(t);
  const endpoint = new ScriptedDestination('one');
  endpoint.answer = (text) => {
    if (text === '1') return { outcome: 'refused', message: `400: ${'x'.repeat(10_000)}` };
    return { outcome: 'accepted', rejected: text === '2' ? 4 : 0, message: 'too old' };
  };
  const relay = await start(endpoint);
  await publish(numbered(2));
  await until(() => relay.health[0]?.refusedPayloads === 1, 'the refusal');
  t.true((relay.health[0]?.lastError?.message.length ?? 0) <= 500);
  // Not of a known signal, and without the count of its items.
  for (const [id, signal] of ['profiles', 'logs'].entries()) {
    const subject = telemetrySubject(signal, 'd1');
    await publishDurable(bus, subject, Buffer.from('no payload'), { id: `foreign ${id}` });
  }
  await publish(['2', '3']);
  t.true(await relay.drain(60_000));
  t.deepEqual(endpoint.sent, numbered(4));
  const [health] = relay.health;
  t.like(health, { accepted: 26, rejected: 4, refused: 10 });
  t.like(health, { acceptedPayloads: 3, refusedPayloads: 3, retries: 0, missed: 0 });
});

test('what the stream dropped before an endpoint had it is counted as missed', async (t) => {
  const { start, publish } = await bench(t, { ...TELEMETRY, max_msgs: 20 });
  const [gone, there] = [new ScriptedDestination('gone'), new ScriptedDestination('there')];
  gone.answer = hang;
  const first = await start(gone, there);
  await publish(numbered(60));
  await until(() => there.accepted.length === 60, 'all at the endpoint that is there');
  // Those that it had are given back, but the stream has dropped them meanwhile.
  await first.stop();
  t.deepEqual(
    first.health.map(({ missed }) => missed),
    [8, 0],
  );
  await publish(numbered(30, 'later '));

  const back = new ScriptedDestination('gone');
  const again = new ScriptedDestination('there');
  const second = await start(back, again);
  t.true(await second.drain(60_000));
  t.deepEqual(back.accepted, numbered(30, 'later ').slice(10));
  t.deepEqual(again.accepted, back.accepted);
  const missed = (): (number | undefined)[] => second.health.map(({ missed }) => missed);
  await until(() => missed()[0] === 62, 'the count of what is missed');
  t.deepEqual(missed(), [62, 10]);
});

test('the relay stops in time while an endpoint hangs and the server is away', async (t) => {
  const { server, start, publish } = await bench(t);
  const [stuck, deaf] = [new ScriptedDestination('stuck'), new ScriptedDestination('deaf')];
  stuck.answer = hang;
  deaf.answer = async () => new Promise(() => undefined);
  deaf.close = async () => new Promise(() => undefined);
  const relay = await start(stuck, deaf);
  await publish(['1']);
  await until(() => stuck.sent.length + deaf.sent.length === 2, 'both');
  await server.kill();
  const beganAtMs = performance.now();
  await relay.stop();
  t.true(performance.now() - beganAtMs < 5000);
  t.true(stuck.isClosed);
});

test('names of endpoints must be different, and usable', async (t) => {
  const { start } = await bench(t);
  for (const names of [['one', 'one'], ['with space'], ['']]) {
    const endpoints = names.map((name) => new ScriptedDestination(name));
    t.is((await rejection(start(...endpoints))).code, 'ENDPOINTS_INVALID');
  }
});
