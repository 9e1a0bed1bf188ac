import assert from 'node:assert/strict';
import test from 'ava';
import fc from 'fast-check';
import { systemClock } from '../../../agent/clock/clock.ts';
import type { Clock } from '../../../agent/clock/clock.ts';
import { StepWatch } from '../../../agent/clock/step-watch.ts';

const MS = 1_000_000n;

/** Two clocks that are set by hand; the wall clock is read to the millisecond, as the real one. */
class HandClock implements Clock {
  monoNs = 5_000_000_000_123n;
  wallNs = 1_795_424_400_000_456_789n;
  /** What the next readings take, ns; then 100 ns each. */
  readonly readNs: bigint[] = [];

  pass(durationNs: bigint): void {
    this.monoNs += durationNs;
    this.wallNs += durationNs;
  }

  monotonicNs(): bigint {
    this.pass(this.readNs.shift() ?? 100n);
    return this.monoNs;
  }

  utcNs(): bigint {
    this.pass(this.readNs.shift() ?? 100n);
    return (this.wallNs / MS) * MS;
  }

  sleep(): Promise<void> {
    return Promise.reject(new Error('a watch does not sleep'));
  }

  spinUntil(): bigint {
    throw new Error('a watch does not spin');
  }
}

test('a step of the wall clock is seen with its size and direction', (t) => {
  for (const stepNs of [1000n * MS, -1000n * MS, 20n * MS, -20n * MS]) {
    const clock = new HandClock();
    const watch = new StepWatch(clock);
    clock.pass(3000n * MS);
    clock.wallNs += stepNs;
    const errorNs = watch.stepNs() - stepNs;
    t.true(errorNs < 2n * MS && errorNs > -2n * MS, `${stepNs}: ${errorNs}`);
  }
});

test('a step of the monotonic clock is seen', (t) => {
  const clock = new HandClock();
  const watch = new StepWatch(clock);
  clock.monoNs += 1000n * MS;
  t.true(watch.stepNs() < -900n * MS);
});

test('a machine that slept is seen: its monotonic clock stood still', (t) => {
  const clock = new HandClock();
  const watch = new StepWatch(clock);
  clock.wallNs += 3000n * MS;
  t.true(watch.stepNs() > 2900n * MS);
});

test('a step that was taken back is no longer seen, a second look sees the same as the first', (t) => {
  const clock = new HandClock();
  const watch = new StepWatch(clock);
  clock.wallNs += 1000n * MS;
  t.true(watch.stepNs() > 0n);
  t.true(watch.stepNs() > 0n);
  clock.wallNs -= 1000n * MS;
  t.is(watch.stepNs(), 0n);
});

test('a pause of the process between two readings is no step', (t) => {
  const clock = new HandClock();
  clock.readNs.push(100n, 3000n * MS, 100n);
  const watch = new StepWatch(clock);
  clock.readNs.push(100n, 3000n * MS, 100n, 100n, 100n, 3000n * MS);
  t.is(watch.stepNs(), 0n);
});

test('time that passes for both clocks is no step, whenever one looks', (t) => {
  const times = fc.array(fc.bigInt(0n, 10n ** 15n), { minLength: 1, maxLength: 20 });
  fc.assert(
    fc.property(times, fc.bigInt(0n, MS), (passedNs, phaseNs) => {
      const clock = new HandClock();
      clock.wallNs += phaseNs;
      const watch = new StepWatch(clock);
      for (const durationNs of passedNs) {
        clock.pass(durationNs);
        assert.equal(watch.stepNs(), 0n);
      }
    }),
  );
  t.pass();
});

test('the clock of this machine is not stepped while the test looks', async (t) => {
  const watch = new StepWatch(systemClock);
  await systemClock.sleep(20);
  t.is(watch.stepNs(), 0n);
});
