import { setTimeout as delay } from 'node:timers/promises';
import test from 'ava';
import { burst } from '../../../agent/procedures/burst.ts';
import { warmCall } from '../../../agent/procedures/warm-call.ts';
import { LockstepError } from '../../../schemas/errors.ts';
import { openLoopbackStage } from './loopback-stage.ts';

test('warm-call calls nobody before the barrier, and then everybody once', async (t) => {
  const staged = await openLoopbackStage(t);
  const barrier = Promise.withResolvers<bigint>();
  const arrived = Promise.withResolvers<undefined>();
  staged.passBarrier = () => {
    arrived.resolve(undefined);
    return barrier.promise;
  };
  const running = staged.run(warmCall, 3);
  await arrived.promise;
  await delay(50);
  t.deepEqual(staged.called, []);
  const passedMonoNs = process.hrtime.bigint();
  barrier.resolve(passedMonoNs);
  const { instances } = await running;
  t.deepEqual(staged.reached, ['ready']);
  t.is(new Set(staged.called).size, 3);
  t.is(staged.called.length, 3);
  for (const { status, phases, failure } of instances) {
    t.is(status, 'ok', failure?.message);
    t.true((phases.ready ?? passedMonoNs) < passedMonoNs);
    t.true((phases.call ?? 0n) >= passedMonoNs);
    t.true((phases.firstByte ?? 0n) >= (phases.call ?? 0n));
  }
});

test('a burst calls each function when it is ready, without a barrier', async (t) => {
  const staged = await openLoopbackStage(t);
  const { instances, finals } = await staged.run(burst, 3);
  t.deepEqual(staged.reached, []);
  t.is(staged.called.length, 3);
  t.deepEqual(
    finals.map(({ instance }) => instance),
    [0, 1, 2],
  );
  t.true(instances.every(({ status }) => status === 'ok'));
});

test('a device with a failed sandbox stays away from the barrier and calls none', async (t) => {
  const staged = await openLoopbackStage(t);
  staged.broken.add(1);
  const { instances } = await staged.run(warmCall, 3);
  t.deepEqual(staged.reached, []);
  t.deepEqual(staged.called, []);
  t.deepEqual(
    instances.map(({ status, failure }) => `${status} ${failure?.code ?? ''}`),
    ['failed BARRIER_BROKEN', 'failed FUNCTION_CRASHED', 'failed BARRIER_BROKEN'],
  );
  t.is(staged.removed, 3);
  t.is(staged.released, 3);
});

test('a broken barrier fails all sandboxes of the device, and they are removed', async (t) => {
  const staged = await openLoopbackStage(t);
  staged.passBarrier = () =>
    Promise.reject(new LockstepError('BARRIER_BROKEN', 'device b will not reach the barrier'));
  const { instances, leftovers } = await staged.run(warmCall, 2);
  t.deepEqual(staged.called, []);
  t.deepEqual(
    instances.map(({ failure, failedAfter }) => [failure?.code, failedAfter]),
    [
      ['BARRIER_BROKEN', 'ready'],
      ['BARRIER_BROKEN', 'ready'],
    ],
  );
  t.deepEqual(leftovers, []);
  t.is(staged.removed, 2);
  t.is(staged.released, 2);
});
