import test from 'ava';
import { BarrierDesk } from '../../../coordinator/dispatch/barrier-desk.ts';
import type {
  BarrierOptions,
  Release,
  TrialBarriers,
} from '../../../coordinator/dispatch/barrier-desk.ts';
import { rejection } from '../../support/rejection.ts';

const TRIAL = { runId: 'run-1', trialId: 't0001', attempt: 1 };

interface Stage {
  readonly desk: BarrierDesk;
  readonly barriers: TrialBarriers;
  /** How many instants were chosen. */
  readonly chosen: () => number;
}

/** Barriers of a trial of devices a, b and c; each release names another instant. */
function stage(options: Partial<BarrierOptions> = {}): Stage {
  let chosen = 0;
  const desk = new BarrierDesk();
  const barriers = desk.open(TRIAL, {
    deviceIds: ['a', 'b', 'c'],
    goesOnWithout: false,
    chooseRelease: (): Promise<Release> => {
      chosen += 1;
      return Promise.resolve({ startAtFleetNs: BigInt(chosen), fleetTime: 'clock-1' });
    },
    ...options,
  });
  return { desk, barriers, chosen: () => chosen };
}

/** True if the promise is not settled after all that is under way. */
async function isPending(promise: Promise<unknown>): Promise<boolean> {
  const later = new Promise((resolve) => {
    setImmediate(resolve, 'pending');
  });
  return (await Promise.race([promise.catch(() => 'settled'), later])) === 'pending';
}

test('all go on at one instant, chosen once the last has come', async (t) => {
  const { desk, chosen } = stage();
  const first = [desk.arrive('a', TRIAL, 'ready'), desk.arrive('b', TRIAL, 'ready')];
  t.true(await isPending(Promise.race(first)));
  t.is(chosen(), 0);
  const releases = await Promise.all([...first, desk.arrive('c', TRIAL, 'ready')]);
  t.is(chosen(), 1);
  t.deepEqual(
    releases.map(({ startAtFleetNs }) => startAtFleetNs),
    [1n, 1n, 1n],
  );
});

test('barriers of other names do not meet', async (t) => {
  const { desk } = stage();
  const mixed = [
    desk.arrive('a', TRIAL, 'ready'),
    desk.arrive('b', TRIAL, 'ready'),
    desk.arrive('c', TRIAL, 'done'),
  ];
  t.true(await isPending(Promise.race(mixed)));
});

test('one barrier after the other has an instant of its own', async (t) => {
  const { desk } = stage();
  const pass = (name: string) =>
    Promise.all(['a', 'b', 'c'].map((deviceId) => desk.arrive(deviceId, TRIAL, name)));
  const first = await pass('ready');
  const second = await pass('done');
  t.is(first[0]?.startAtFleetNs, 1n);
  t.is(second[0]?.startAtFleetNs, 2n);
});

test('a device that will not come breaks the barrier for those that wait and those to come', async (t) => {
  const { desk, barriers, chosen } = stage();
  const waiting = desk.arrive('a', TRIAL, 'ready');
  barriers.leave('b', 'its function crashed');
  const broken = await rejection(waiting);
  t.is(broken.code, 'BARRIER_BROKEN');
  t.regex(broken.message, /device b .*its function crashed/);
  t.is((await rejection(desk.arrive('c', TRIAL, 'ready'))).code, 'BARRIER_BROKEN');
  t.is(chosen(), 0);
});

test('the first that will not come is the reason, whoever follows', async (t) => {
  const { desk, barriers } = stage();
  barriers.leave('b', 'its function crashed');
  barriers.leave('c', 'its trial is over');
  t.regex((await rejection(desk.arrive('a', TRIAL, 'ready'))).message, /device b/);
});

test('where a gang may be incomplete the others go on without the one that left', async (t) => {
  const { desk, barriers, chosen } = stage({ goesOnWithout: true });
  const waiting = [desk.arrive('a', TRIAL, 'ready'), desk.arrive('c', TRIAL, 'ready')];
  t.true(await isPending(Promise.race(waiting)));
  barriers.leave('b', 'it was lost');
  const releases = await Promise.all(waiting);
  t.is(releases[0]?.startAtFleetNs, releases[1]?.startAtFleetNs);
  t.is(chosen(), 1);
});

test('a device that left before the others came is not waited for', async (t) => {
  const { desk, barriers } = stage({ goesOnWithout: true });
  barriers.leave('b', 'it was lost');
  const waiting = [desk.arrive('a', TRIAL, 'ready'), desk.arrive('c', TRIAL, 'ready')];
  t.is((await Promise.all(waiting)).length, 2);
});

test('a device that left, or was never expected, is not let in', async (t) => {
  const { desk, barriers } = stage({ goesOnWithout: true });
  barriers.leave('b', 'it was lost');
  for (const deviceId of ['b', 'stranger']) {
    t.is((await rejection(desk.arrive(deviceId, TRIAL, 'ready'))).code, 'NOT_FOUND', deviceId);
  }
});

test('a device that asks again counts once, and its first question ends', async (t) => {
  const { desk, chosen } = stage();
  const first = desk.arrive('a', TRIAL, 'ready');
  const second = desk.arrive('a', TRIAL, 'ready');
  t.is((await rejection(first)).code, 'CANCELLED');
  const others = [desk.arrive('b', TRIAL, 'ready')];
  t.true(await isPending(second));
  others.push(desk.arrive('c', TRIAL, 'ready'));
  const releases = await Promise.all([second, ...others]);
  t.deepEqual(
    releases.map(({ startAtFleetNs }) => startAtFleetNs),
    [1n, 1n, 1n],
  );
  t.is(chosen(), 1);
});

test('all are told when no instant can be chosen', async (t) => {
  const { desk } = stage({ chooseRelease: () => Promise.reject(new RangeError('no clock')) });
  const waiting = ['a', 'b', 'c'].map((deviceId) => desk.arrive(deviceId, TRIAL, 'ready'));
  for (const promise of waiting) await t.throwsAsync(promise, { message: 'no clock' });
});

test('closing tells those that still wait, and afterwards the trial is unknown', async (t) => {
  const { desk } = stage();
  const waiting = desk.arrive('a', TRIAL, 'ready');
  desk.close(TRIAL);
  t.is((await rejection(waiting)).code, 'BARRIER_BROKEN');
  t.is((await rejection(desk.arrive('a', TRIAL, 'ready'))).code, 'NOT_FOUND');
  t.notThrows(() => {
    desk.close(TRIAL);
  });
});

test('a trial of another run or attempt is another trial', async (t) => {
  const { desk } = stage();
  for (const other of [
    { ...TRIAL, runId: 'run-2' },
    { ...TRIAL, attempt: 2 },
    { ...TRIAL, trialId: 't0002' },
  ]) {
    t.is((await rejection(desk.arrive('a', other, 'ready'))).code, 'NOT_FOUND');
  }
});
