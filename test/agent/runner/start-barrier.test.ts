import test from 'ava';
import { awaitInstant } from '../../../agent/runner/start-barrier.ts';
import { SimulatedClock } from '../../support/simulated-clock.ts';

const never = new AbortController().signal;
const START_NS = 5_000_000_000n;

const letsGoInTime = test.macro({
  async exec(t, distanceNs: bigint, timerLateMs: number) {
    const clock = new SimulatedClock({ startMonoNs: START_NS, readNs: 100n, timerLateMs });
    const targetNs = START_NS + distanceNs;
    const stampNs = await awaitInstant(clock, targetNs, never);
    t.true(stampNs !== undefined && stampNs >= targetNs);
    t.true(stampNs! - targetNs <= 100n, 'later than one reading of the clock');
    t.is(stampNs, clock.nowMonoNs, 'the stamp is the last reading');
  },
  title: (providedTitle) =>
    `awaitInstant lets go at the target, not before, ${providedTitle ?? ''}`,
});
test('from far away', letsGoInTime, 250_000_000n, 0);
test('from within the busy wait', letsGoInTime, 1_500_000n, 0);
test('from the edge of the busy wait', letsGoInTime, 2_000_001n, 0);
test('if timers fire 1 ms early', letsGoInTime, 250_000_000n, -1);
test('if timers fire 0.3 ms late', letsGoInTime, 250_000_000n, 0.3);
test('if timers fire 2.9 ms late', letsGoInTime, 250_000_000n, 2.9);

test('awaitInstant shows in its stamp how late a timer made it', async (t) => {
  const clock = new SimulatedClock({ startMonoNs: START_NS, timerLateMs: 40 });
  const targetNs = START_NS + 100_000_000n;
  const stampNs = await awaitInstant(clock, targetNs, never);
  const lateNs = stampNs! - targetNs;
  t.true(lateNs >= 36_000_000n && lateNs <= 40_000_000n, String(lateNs));
  t.is(clock.sleepsMs.length, 1);
});

test('awaitInstant sleeps while the target is far and never into the busy wait', async (t) => {
  const clock = new SimulatedClock({ startMonoNs: START_NS });
  await awaitInstant(clock, START_NS + 100_000_000n, never);
  const sleptMs = clock.sleepsMs.reduce((sum, durationMs) => sum + durationMs, 0);
  t.true(sleptMs <= 98 && sleptMs > 97, String(sleptMs));
});

test('awaitInstant returns at once if the target is past', async (t) => {
  const clock = new SimulatedClock({ startMonoNs: START_NS });
  const stampNs = await awaitInstant(clock, START_NS - 70_000_000n, never);
  t.true(stampNs! >= START_NS && stampNs! < START_NS + 1000n);
  t.deepEqual(clock.sleepsMs, []);
});

test('awaitInstant returns nothing if the signal has aborted, even for a past target', async (t) => {
  const clock = new SimulatedClock({ startMonoNs: START_NS });
  for (const targetNs of [START_NS + 100_000_000n, START_NS - 1n]) {
    t.is(await awaitInstant(clock, targetNs, AbortSignal.abort()), undefined);
  }
  t.deepEqual(clock.sleepsMs, []);
});

test('awaitInstant returns nothing if the signal aborts while it sleeps', async (t) => {
  const clock = new SimulatedClock({ startMonoNs: START_NS });
  const abort = new AbortController();
  clock.beforeSleep = () => {
    abort.abort();
  };
  t.is(await awaitInstant(clock, START_NS + 100_000_000n, abort.signal), undefined);
  t.true(clock.nowMonoNs < START_NS + 1000n, 'it waited on');
});
