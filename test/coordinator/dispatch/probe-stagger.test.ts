import assert from 'node:assert/strict';
import test from 'ava';
import fc from 'fast-check';
import { ProbeStagger } from '../../../coordinator/dispatch/probe-stagger.ts';

const SPREAD_MAX_MS = 1000;

function delays(stagger: ProbeStagger, count: number): number[] {
  return Array.from({ length: count }, (_, index) => stagger.delayMs(index, count));
}

test('a few devices probe at once', (t) => {
  t.deepEqual(delays(new ProbeStagger(), 3), [0, 0, 0]);
});

test('the devices of a larger fleet probe one after the other', (t) => {
  const found = delays(new ProbeStagger(), 64);
  t.is(found[0], 0);
  t.is(new Set(found).size, 64);
});

test('short bursts are spread less than long ones', (t) => {
  const short = new ProbeStagger();
  short.note(2_000_000n);
  const long = new ProbeStagger();
  long.note(6_000_000n);
  t.true(short.delayMs(40, 64) < long.delayMs(40, 64));
  // The shortest says what a burst costs; the others waited for each other.
  short.note(300_000_000n);
  short.note(undefined);
  t.true(short.delayMs(40, 64) < long.delayMs(40, 64));
});

test('delays rise, are whole, and stay within the spread, whatever the fleet', (t) => {
  const bursts = fc.option(fc.bigInt(0n, 10n ** 10n), { nil: undefined });
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 2000 }), bursts, (count, burstNs) => {
      const stagger = new ProbeStagger();
      stagger.note(burstNs);
      const found = delays(stagger, count);
      for (const [index, delayMs] of found.entries()) {
        assert.ok(Number.isInteger(delayMs) && delayMs >= (found[index - 1] ?? 0));
        assert.ok(delayMs <= SPREAD_MAX_MS);
      }
    }),
  );
  t.pass();
});
