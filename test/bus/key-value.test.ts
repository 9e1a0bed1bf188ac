import test from 'ava';
import { z } from 'zod';
import { openBucket } from '../../bus/key-value.ts';
import { protocolField } from '../../schemas/protocol.ts';
import { DEVICES_BUCKET } from '../../schemas/subjects.ts';
import { startTestBus } from '../support/nats-server.ts';
import { rejection } from '../support/rejection.ts';

const Thing = z.object({ ...protocolField, count: z.int() });
const definition = { bucket: DEVICES_BUCKET, schema: Thing };
const COORDINATOR = { role: 'coordinator', user: 'coordinator' } as const;

test('values are kept by key, listed, and gone when deleted', async (t) => {
  const server = await startTestBus(t);
  const bus = await server.connect(COORDINATOR);
  const bucket = await openBucket(bus, definition);
  t.is(await bucket.get('d1'), undefined);
  t.deepEqual(await bucket.list(), new Map());
  await bucket.put('d1', { count: 1 });
  await bucket.put('d2', { count: 2 });
  await bucket.put('d1', { count: 3 });
  await bucket.put('d3', { count: 4 });
  await bucket.delete('d2');
  await bus.connection.request(`$KV.${DEVICES_BUCKET}.bad`, '{"protocol":9,"count":1}');
  t.deepEqual(await bucket.get('d1'), { protocol: 1, count: 3 });
  t.is(await bucket.get('d2'), undefined);
  t.is((await rejection(bucket.get('bad'))).code, 'PROTOCOL_UNSUPPORTED');
  const list = await bucket.list();
  t.deepEqual(
    [...list].map(([key, { count }]) => [key, count]),
    [
      ['d1', 3],
      ['d3', 4],
    ],
  );
  const again = await openBucket(bus, definition);
  t.is((await again.list()).size, 2);
});

test('a watch tells what is there, then changes, also after kill -9 of the server', async (t) => {
  const server = await startTestBus(t);
  const bus = await server.connect(COORDINATOR);
  const bucket = await openBucket(bus, definition);
  await bucket.put('d1', { count: 1 });
  const seen: string[] = [];
  const waiting = new Map<string, () => void>();
  const saw = async (what: string): Promise<void> => {
    if (seen.includes(what)) return;
    await new Promise<void>((resolve) => waiting.set(what, resolve));
  };
  const listening = await bucket.watch(({ key, value }) => {
    const what = `${key}=${value?.count ?? 'gone'}`;
    seen.push(what);
    waiting.get(what)?.();
  });
  await saw('d1=1');
  await bucket.put('d2', { count: 2 });
  await saw('d2=2');
  await bucket.delete('d1');
  await saw('d1=gone');
  const back = Promise.withResolvers<undefined>();
  bus.onStatus((status) => {
    if (status.type === 'connected') back.resolve(undefined);
  });
  await server.kill();
  await server.restart();
  await back.promise;
  const putMs = performance.now();
  await bucket.put('d2', { count: 5 });
  await saw('d2=5');
  t.log(`told ${Math.round(performance.now() - putMs)} ms after the change`);
  await listening.close();
  t.true(seen.includes('d2=5'));
});
