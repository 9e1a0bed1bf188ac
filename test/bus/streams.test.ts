import { jetstreamManager, StorageType } from '@nats-io/jetstream';
import test from 'ava';
import { consumeDurable } from '../../bus/durable-consumer.ts';
import { ensureStream, LEDGER, publishDurable, readStream, RESULTS } from '../../bus/streams.ts';
import { LockstepError } from '../../schemas/errors.ts';
import { ledgerSubject, resultSubject, RESULTS_STREAM } from '../../schemas/subjects.ts';
import { startTestBus } from '../support/nats-server.ts';
import { rejection } from '../support/rejection.ts';

const bytes = (text: string): Uint8Array => Buffer.from(text);
const textOf = (data: Uint8Array): string => Buffer.from(data).toString();
const COORDINATOR = { role: 'coordinator', user: 'coordinator' } as const;

test('ensureStream creates, changes what may change, and refuses what came back other', async (t) => {
  const server = await startTestBus(t);
  const bus = await server.connect(COORDINATOR);
  await ensureStream(bus, RESULTS);
  await ensureStream(bus, RESULTS);
  await ensureStream(bus, LEDGER);
  const smaller = { ...RESULTS, max_bytes: 1_000_000 };
  await ensureStream(bus, smaller);
  const manager = await jetstreamManager(bus.connection, { checkAPI: false });
  const { config } = await manager.streams.info(RESULTS_STREAM);
  t.is(config.max_bytes, 1_000_000);
  t.is(config.storage, StorageType.File);

  const immutable = await rejection(ensureStream(bus, { ...RESULTS, storage: StorageType.Memory }));
  t.is(immutable.code, 'BUS_UNAVAILABLE');
  // A setting of newer servers, which this one drops without a word.
  const dropped = await rejection(ensureStream(bus, { ...LEDGER, allow_msg_ttl: true }));
  t.regex(dropped.message, /allow_msg_ttl/);
});

test('publishDurable stores once per id, and says when it was there', async (t) => {
  const server = await startTestBus(t);
  const bus = await server.connect(COORDINATOR);
  const missing = publishDurable(bus, resultSubject('d1'), bytes('x'), { id: 'a' });
  t.is((await rejection(missing)).code, 'BUS_UNAVAILABLE');
  await ensureStream(bus, { ...RESULTS, max_msg_size: 200, max_bytes: 500 });
  const publish = (id: string, text: string) =>
    publishDurable(bus, resultSubject('d1'), bytes(text), { id });
  t.deepEqual(await publish('a', 'one'), { sequence: 1, isDuplicate: false });
  t.deepEqual(await publish('a', 'two'), { sequence: 1, isDuplicate: true });
  t.is((await rejection(publish('b', 'x'.repeat(201)))).code, 'MESSAGE_INVALID');
  await publish('c', 'x'.repeat(150));
  await publish('c2', 'x'.repeat(90));
  t.is((await rejection(publish('d', 'x'.repeat(150)))).code, 'STORAGE_FULL');
});

test('publishDurable with an expected sequence loses to who was first', async (t) => {
  const server = await startTestBus(t);
  const bus = await server.connect(COORDINATOR);
  await ensureStream(bus, LEDGER);
  const publish = (id: string, lastSubjectSequence: number) =>
    publishDurable(bus, ledgerSubject('r1'), bytes(id), { id, lastSubjectSequence });
  const first = await publish('a', 0);
  t.is((await rejection(publish('b', 0))).code, 'CANCELLED');
  await publish('c', first.sequence);
});

test('readStream gives the messages of a subject in order, within its bound', async (t) => {
  const server = await startTestBus(t);
  const bus = await server.connect(COORDINATOR);
  await ensureStream(bus, LEDGER);
  for (let index = 0; index < 40; index += 1) {
    const run = index % 2 === 0 ? 'even' : 'odd';
    await publishDurable(bus, ledgerSubject(run), bytes(`${index}`), { id: `m${index}` });
  }
  const read = async (subject: string, options = {}): Promise<number[]> => {
    const seen: number[] = [];
    for await (const message of readStream(bus, LEDGER.name, subject, options)) {
      seen.push(Number(textOf(message.data)));
    }
    return seen;
  };
  t.deepEqual(
    await read(ledgerSubject('odd')),
    Array.from({ length: 20 }, (_, index) => 2 * index + 1),
  );
  t.is((await read('lockstep.ledger.*')).length, 40);
  t.deepEqual(await read(ledgerSubject('odd'), { afterSequence: 38 }), [39]);
  t.deepEqual(await read(ledgerSubject('none')), []);
  t.is((await rejection(read('lockstep.ledger.*', { maxMessages: 39 }))).code, 'MESSAGE_INVALID');
  const noStream = (async () => {
    for await (const message of readStream(bus, 'NONE', 'none')) t.fail(message.subject);
  })();
  t.truthy(await rejection(noStream));
});

test('a message whose handler crashed comes again before any later one', async (t) => {
  const server = await startTestBus(t);
  const bus = await server.connect(COORDINATOR);
  await ensureStream(bus, RESULTS);
  const seen: string[] = [];
  const all = Promise.withResolvers<undefined>();
  let crashes = 2;
  const listening = await consumeDurable(
    bus,
    { stream: RESULTS.name, consumer: 'recorder' },
    async ({ data }) => {
      const text = textOf(data);
      seen.push(text);
      if (text === 'm2' && crashes > 0) {
        crashes -= 1;
        throw new Error('the handler crashed');
      }
      if (text === 'm5') all.resolve(undefined);
      return Promise.resolve();
    },
  );
  for (let index = 1; index <= 5; index += 1) {
    await publishDurable(bus, resultSubject('d1'), bytes(`m${index}`), { id: `${index}` });
  }
  await all.promise;
  await listening.close();
  t.deepEqual(seen, ['m1', 'm2', 'm2', 'm2', 'm3', 'm4', 'm5']);
});

test('a poison message is passed over after its tries, a full disk never is', async (t) => {
  const server = await startTestBus(t);
  const bus = await server.connect(COORDINATOR);
  await ensureStream(bus, RESULTS);
  for (const text of ['poison', 'full', 'good']) {
    await publishDurable(bus, resultSubject('d1'), bytes(text), { id: text });
  }
  const seen: string[] = [];
  const all = Promise.withResolvers<undefined>();
  const listening = await consumeDurable(
    bus,
    { stream: RESULTS.name, consumer: 'recorder', maxTries: 2 },
    async ({ data }) => {
      const text = textOf(data);
      seen.push(text);
      if (text === 'poison') throw new LockstepError('MESSAGE_INVALID', 'poison');
      if (text === 'full' && seen.filter((other) => other === 'full').length < 4) {
        throw new LockstepError('STORAGE_FULL', 'the disk is full');
      }
      if (text === 'good') all.resolve(undefined);
      return Promise.resolve();
    },
  );
  await all.promise;
  await listening.close();
  t.deepEqual(seen, ['poison', 'poison', 'full', 'full', 'full', 'full', 'good']);
});

test('a consumer goes on where it was left, also after kill -9 of the server', async (t) => {
  const server = await startTestBus(t);
  const bus = await server.connect(COORDINATOR);
  await ensureStream(bus, RESULTS);
  const seen: string[] = [];
  let expected = 3;
  let reached = Promise.withResolvers<undefined>();
  const consume = () =>
    consumeDurable(bus, { stream: RESULTS.name, consumer: 'recorder' }, async ({ data }) => {
      seen.push(textOf(data));
      if (new Set(seen).size === expected) reached.resolve(undefined);
      return Promise.resolve();
    });
  const publish = (id: string) => publishDurable(bus, resultSubject('d1'), bytes(id), { id });
  const first = await consume();
  for (const id of ['1', '2', '3']) await publish(id);
  await reached.promise;
  await first.close();
  for (const id of ['4', '5']) await publish(id);
  expected = 5;
  reached = Promise.withResolvers<undefined>();
  const second = await consume();
  await reached.promise;
  t.deepEqual(seen, ['1', '2', '3', '4', '5']);

  const back = Promise.withResolvers<undefined>();
  bus.onStatus((status) => {
    if (status.type === 'connected') back.resolve(undefined);
  });
  expected = 6;
  reached = Promise.withResolvers<undefined>();
  await server.kill();
  await server.restart();
  await back.promise;
  await publish('6');
  await reached.promise;
  await second.close();
  t.deepEqual([...new Set(seen)], ['1', '2', '3', '4', '5', '6']);
});
