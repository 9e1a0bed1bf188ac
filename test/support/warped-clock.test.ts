import assert from 'node:assert/strict';
import test from 'ava';
import fc from 'fast-check';
import { awaitInstant } from '../../agent/runner/start-barrier.ts';
import { SimulatedClock } from './simulated-clock.ts';
import { WarpedClock } from './warped-clock.ts';

const START_NS = 5_000_000_000n;
const HOUR_NS = 3_600_000_000_000n;

test('toTrue of WarpedClock is the way back of toOwn', (t) => {
  fc.assert(
    fc.property(
      fc.bigInt(-HOUR_NS, HOUR_NS),
      fc.double({ min: -500, max: 500, noNaN: true }),
      fc.bigInt(-(10n ** 10n), 10n ** 10n),
      fc.bigInt(0n, HOUR_NS),
      (offsetNs, driftPpm, byNs, passedNs) => {
        const below = new SimulatedClock({ startMonoNs: START_NS });
        const atTrueNs = START_NS + HOUR_NS / 2n;
        const warp = { offsetNs, driftPpm, monotonicSteps: [{ atTrueNs, byNs }] };
        const clock = new WarpedClock(below, warp);
        const trueNs = START_NS + passedNs;
        const backNs = clock.toTrue(clock.toOwn(trueNs));
        const isSame = backNs - trueNs <= 1n && trueNs - backNs <= 1n;
        // A step back shows some instants twice, and the later one is meant.
        const isTwice = byNs < 0n && trueNs < atTrueNs && backNs >= atTrueNs;
        assert.ok(isSame || isTwice, `${backNs - trueNs}`);
      },
    ),
  );
  t.pass();
});

test('toTrue of an instant that a step forward left out is the step', (t) => {
  const below = new SimulatedClock({ startMonoNs: START_NS });
  const clock = new WarpedClock(below, {
    monotonicSteps: [{ atTrueNs: START_NS + 1000n, byNs: 500n }],
  });
  t.is(clock.toTrue(clock.toOwn(START_NS + 999n) + 200n), START_NS + 1000n);
});

test('steps of WarpedClock move the clock that is stepped, and no other', (t) => {
  const below = new SimulatedClock({ startMonoNs: START_NS });
  const clock = new WarpedClock(below);
  const differenceNs = (): bigint => clock.utcNs() - clock.monotonicNs();
  const beforeNs = differenceNs();
  const within = (movedNs: bigint): boolean => {
    const errorNs = differenceNs() - beforeNs - movedNs;
    return errorNs < 2_000_000n && errorNs > -2_000_000n;
  };
  t.true(within(0n));
  clock.stepWall(10n ** 9n);
  t.true(within(10n ** 9n));
  clock.stepMonotonic(10n ** 9n);
  t.true(within(0n));
  t.true(clock.monotonicNs() - below.nowMonoNs >= 10n ** 9n - 1000n);
});

test('awaitInstant never lets go early on a warped clock, and its stamp is honest', async (t) => {
  await fc.assert(
    fc.asyncProperty(
      fc.record({
        offsetNs: fc.bigInt(-(10n ** 10n), 10n ** 10n),
        driftPpm: fc.double({ min: -500, max: 500, noNaN: true }),
        noiseNs: fc.bigInt(0n, 20_000n),
        seed: fc.nat(),
      }),
      fc.bigInt(0n, 10n ** 9n),
      fc.double({ min: -1, max: 30, noNaN: true }),
      fc.option(fc.record({ share: fc.nat(100), byNs: fc.bigInt(-(10n ** 9n), 10n ** 9n) })),
      async (warp, distanceNs, timerLateMs, step) => {
        const below = new SimulatedClock({ startMonoNs: START_NS, readNs: 900n, timerLateMs });
        const monotonicSteps =
          step === null
            ? []
            : [
                {
                  atTrueNs: START_NS + (distanceNs * BigInt(step.share)) / 100n,
                  byNs: step.byNs,
                },
              ];
        const clock = new WarpedClock(below, { ...warp, monotonicSteps });
        const targetNs = clock.monotonicNs() + distanceNs;
        const stampNs = await awaitInstant(clock, targetNs, new AbortController().signal);
        assert.ok(stampNs !== undefined && stampNs >= targetNs, 'it let go early');
        const errorNs = stampNs - clock.toOwn(below.nowMonoNs);
        assert.ok(errorNs <= warp.noiseNs && -errorNs <= warp.noiseNs, `${errorNs} ns off`);
      },
    ),
  );
  t.pass();
});
