import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import fc from 'fast-check';
import { Drainer } from '../../../telemetry/spool/drainer.ts';
import { retryPauseMs } from '../../../telemetry/spool/retry-pause.ts';
import { openSpool } from '../../../telemetry/spool/spool.ts';
import type { Spool } from '../../../telemetry/spool/spool.ts';
import { hang, ScriptedDestination, textPayload } from '../../support/scripted-destination.ts';
import { until } from '../../support/until.ts';

interface Bench {
  readonly spool: Spool;
  readonly destination: ScriptedDestination;
  readonly drainer: Drainer;
}

async function bench(t: ExecutionContext, texts: readonly string[] = []): Promise<Bench> {
  const folder = await mkdtemp(join(tmpdir(), 'lockstep-drainer-'));
  t.teardown(async () => rm(folder, { recursive: true, force: true }));
  const spool = await openSpool({ folder });
  for (const text of texts) await spool.add(textPayload(text, 10));
  const destination = new ScriptedDestination();
  const drainer = new Drainer(spool, destination);
  t.teardown(async () => drainer.close(0));
  return { spool, destination, drainer };
}

test('a drainer sends what waits and what comes, in order and one at a time', async (t) => {
  const { spool, destination, drainer } = await bench(t, ['1', '2', '3']);
  drainer.start();
  t.true(await drainer.flush(60_000));
  await Promise.all(['4', '5'].map((text) => spool.add(textPayload(text, 10))));
  t.true(await drainer.flush(60_000));
  t.deepEqual(destination.accepted, ['1', '2', '3', '4', '5']);
  t.is(destination.mostAtOnce, 1);
  t.is(spool.statistics.pendingFiles, 0);
  t.deepEqual(drainer.statistics, {
    ...{ acceptedItems: 50, rejectedItems: 0, refusedItems: 0 },
    ...{ retries: 0, lastError: undefined },
  });
});

test('a payload is tried again before any later one, and arrives once', async (t) => {
  const { destination, drainer } = await bench(t, ['1', '2']);
  let failures = 2;
  destination.answer = () => {
    failures -= 1;
    if (failures >= 0) return { outcome: 'retry', message: 'busy', afterMs: 10 };
    return { outcome: 'accepted', rejected: 0 };
  };
  drainer.start();
  t.true(await drainer.flush(60_000));
  t.deepEqual(destination.sent, ['1', '1', '1', '2']);
  t.deepEqual(destination.accepted, ['1', '2']);
  t.is(drainer.statistics.retries, 2);
  t.is(drainer.statistics.lastError, 'busy');
});

test('what is refused is dropped and counted as lost, what is refused in part is counted', async (t) => {
  const { spool, destination, drainer } = await bench(t, ['bad', 'half', 'good']);
  destination.answer = (text) => {
    if (text === 'bad') return { outcome: 'refused', message: 'no such thing' };
    return { outcome: 'accepted', rejected: text === 'half' ? 4 : 0, message: 'too old' };
  };
  drainer.start();
  t.true(await drainer.flush(60_000));
  t.deepEqual(destination.sent, ['bad', 'half', 'good']);
  t.deepEqual(drainer.statistics, {
    ...{ acceptedItems: 16, rejectedItems: 4, refusedItems: 10 },
    ...{ retries: 0, lastError: 'too old' },
  });
  t.is(spool.statistics.lostItems.metrics, 10);
});

test('nothing begins to be sent during a pause, and what is on its way ends', async (t) => {
  const { spool, destination, drainer } = await bench(t, ['1', '2']);
  const release = Promise.withResolvers<undefined>();
  destination.answer = async () => {
    await release.promise;
    return { outcome: 'accepted', rejected: 0 };
  };
  drainer.start();
  await until(() => destination.sent.length === 1, 'the first payload');
  drainer.pause();
  release.resolve(undefined);
  t.false(await drainer.flush(60_000));
  t.deepEqual(destination.accepted, ['1']);
  await spool.add(textPayload('3'));
  t.false(await drainer.flush(60_000));
  t.deepEqual(destination.sent, ['1']);
  drainer.resume();
  t.true(await drainer.flush(60_000));
  t.deepEqual(destination.accepted, ['1', '2', '3']);
});

test('a pause during the wait for the link holds', async (t) => {
  const { destination, drainer } = await bench(t, ['1']);
  const link = Promise.withResolvers<undefined>();
  let asked = 0;
  const waiting = Object.assign(destination, {
    ready: async () => {
      asked += 1;
      await link.promise;
    },
  });
  drainer.start();
  await until(() => asked === 1, 'the wait');
  drainer.pause();
  link.resolve(undefined);
  t.false(await drainer.flush(200));
  t.deepEqual(waiting.sent, []);
  drainer.resume();
  t.true(await drainer.flush(60_000));
});

test('close cuts off what hangs, and leaves it in the spool', async (t) => {
  const { spool, destination, drainer } = await bench(t, ['1', '2']);
  destination.answer = hang;
  drainer.start();
  t.false(await drainer.flush(50));
  await drainer.close(50);
  t.true(destination.isClosed);
  t.deepEqual(destination.sent, ['1']);
  t.is(spool.statistics.pendingFiles, 2);
  t.deepEqual(spool.statistics.lostItems, { traces: 0, metrics: 0, logs: 0 });
});

test('close does not wait for a pause between tries', async (t) => {
  const { spool, destination, drainer } = await bench(t, ['1']);
  const afterMs = 3_600_000;
  destination.answer = () => ({ outcome: 'retry', message: 'later', afterMs });
  drainer.start();
  await until(() => drainer.statistics.retries === 1, 'the first try');
  await drainer.close();
  t.is(spool.statistics.pendingFiles, 1);
});

test('retryPauseMs follows the wish of the endpoint, up to a bound, and else grows', (t) => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 1000 }), fc.nat({ max: 10_000_000 }), (tries, wish) => {
      const pauseMs = retryPauseMs(tries, wish);
      const followedMs = Math.min(wish, 900_000);
      return pauseMs >= followedMs && pauseMs <= Math.max(followedMs * 1.25, 30_000);
    }),
  );
  fc.assert(fc.property(fc.nat({ max: 20 }), (tries) => retryPauseMs(tries + 1) >= 500));
  t.true(retryPauseMs(1) <= 1000);
});
