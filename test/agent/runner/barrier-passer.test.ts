import test from 'ava';
import { BarrierPasser } from '../../../agent/runner/barrier-passer.ts';
import { LockstepError } from '../../../schemas/errors.ts';
import { rejection } from '../../support/rejection.ts';
import { SimulatedClock } from '../../support/simulated-clock.ts';

const MS = 1_000_000n;
const START_NS = 5_000_000_000n;

interface Stage {
  readonly clock: SimulatedClock;
  readonly abort: AbortController;
  readonly passer: BarrierPasser;
  /** The barriers that an arrival was told of, in order. */
  readonly arrivals: string[];
}

function stage(): Stage {
  const clock = new SimulatedClock({ startMonoNs: START_NS });
  const abort = new AbortController();
  const arrivals: string[] = [];
  const passer = new BarrierPasser(clock, abort.signal, (name) => {
    arrivals.push(name);
  });
  return { clock, abort, passer, arrivals };
}

test('it tells of its arrival at once, and goes on at the instant, not before', async (t) => {
  const { passer, arrivals } = stage();
  const passing = passer.pass('ready');
  t.deepEqual(arrivals, ['ready']);
  t.deepEqual(passer.records, []);
  const targetMonoNs = START_NS + 80n * MS;
  passer.release('ready', targetMonoNs);
  const actualMonoNs = await passing;
  t.true(actualMonoNs >= targetMonoNs && actualMonoNs < targetMonoNs + MS);
  const [record] = passer.records;
  t.is(record?.name, 'ready');
  t.is(record?.targetMonoNs, targetMonoNs);
  t.is(record?.actualMonoNs, actualMonoNs);
  t.true(record !== undefined && record.arrivedMonoNs < START_NS + MS);
});

test('an instant that has passed lets it go at once, and the record shows how late', async (t) => {
  const { passer } = stage();
  const passing = passer.pass('ready');
  passer.release('ready', START_NS - 70n * MS);
  await passing;
  const [record] = passer.records;
  t.true(record !== undefined && record.actualMonoNs - record.targetMonoNs >= 70n * MS);
});

test('the records are in the order of passing', async (t) => {
  const { passer } = stage();
  for (const name of ['ready', 'called', 'done']) {
    const passing = passer.pass(name);
    passer.release(name, START_NS);
    await passing;
  }
  t.deepEqual(
    passer.records.map(({ name }) => name),
    ['ready', 'called', 'done'],
  );
});

test('it ends with the error that it is released with, and leaves no record', async (t) => {
  const { passer } = stage();
  const passing = passer.pass('ready');
  passer.release('ready', new LockstepError('BARRIER_BROKEN', 'device b will not come'));
  const error = await rejection(passing);
  t.is(error.code, 'BARRIER_BROKEN');
  t.deepEqual(passer.records, []);
});

test('a release for a barrier at which it does not wait is refused', async (t) => {
  const { passer } = stage();
  t.throws(
    () => {
      passer.release('ready', START_NS);
    },
    { message: /does not wait at barrier ready/ },
  );
  const passing = passer.pass('ready');
  t.throws(
    () => {
      passer.release('other', START_NS);
    },
    { message: /barrier other/ },
  );
  passer.release('ready', START_NS);
  await passing;
  t.throws(
    () => {
      passer.release('ready', START_NS);
    },
    { message: /barrier ready/ },
  );
});

test('a trial that is stood down while it waits for the others ends there', async (t) => {
  const { passer, abort } = stage();
  const passing = passer.pass('ready');
  abort.abort();
  t.is((await rejection(passing)).code, 'CANCELLED');
  t.deepEqual(passer.records, []);
});

test('a trial that is stood down while it waits for the instant ends there', async (t) => {
  const { clock, passer, abort } = stage();
  clock.beforeSleep = () => {
    abort.abort();
  };
  const passing = passer.pass('ready');
  passer.release('ready', START_NS + 500n * MS);
  t.is((await rejection(passing)).code, 'CANCELLED');
  t.deepEqual(passer.records, []);
  t.true(clock.nowMonoNs < START_NS + 500n * MS, 'it waited on');
});

test('a trial that was stood down before tells of no arrival', async (t) => {
  const { passer, abort, arrivals } = stage();
  abort.abort();
  t.is((await rejection(passer.pass('ready'))).code, 'CANCELLED');
  t.deepEqual(arrivals, []);
});
