import assert from 'node:assert/strict';
import test from 'ava';
import fc from 'fast-check';
import { DriftLine } from '../../../agent/clock/drift-line.ts';
import type { OffsetInterval } from '../../../agent/clock/offset-estimator.ts';

const SECOND_NS = 1_000_000_000n;
const START_NS = 8_000_000_000_000n;

/** A burst at this time after the start, whose middle is this offset. */
function burst(afterNs: bigint, offsetNs: bigint, noiseNs = 5000n): OffsetInterval {
  return {
    lowerNs: offsetNs - 100_000n,
    upperNs: offsetNs + 100_000n,
    atMonoNs: START_NS + afterNs,
    probes: 16,
    roundTripMinNs: 200_000n,
    burstNs: 10_000_000n,
    noiseNs,
  };
}

function driftedNs(afterNs: bigint, driftPpb: number): bigint {
  return BigInt(Math.round((Number(afterNs) * driftPpb) / 1e9));
}

function lineThrough(afterSeconds: readonly number[], driftPpb: number): DriftLine {
  const line = new DriftLine();
  for (const seconds of afterSeconds) {
    const afterNs = BigInt(Math.round(seconds * 1e9));
    line.add(burst(afterNs, driftedNs(afterNs, driftPpb)));
  }
  return line;
}

test('the drift is the slope of the offset, positive if the own clock is slow', (t) => {
  const slow = lineThrough([0, 1, 2, 3, 4], 50_000).driftPpb ?? 0;
  const fast = lineThrough([0, 1, 2, 3, 4], -50_000).driftPpb ?? 0;
  t.true(Math.abs(slow - 50_000) < 1, String(slow));
  t.true(Math.abs(fast + 50_000) < 1, String(fast));
});

test('the line gives the offset of a later instant', (t) => {
  const line = lineThrough([0, 1, 2, 3, 4], 50_000);
  const missedNs = (line.offsetAt(START_NS + 10n * SECOND_NS) ?? 0n) - 500_000n;
  t.true(missedNs >= -2n && missedNs <= 2n, String(missedNs));
});

test('too few bursts, or too short a time, say nothing of the drift', (t) => {
  t.is(new DriftLine().driftPpb, undefined);
  t.is(new DriftLine().offsetAt(START_NS), undefined);
  t.is(lineThrough([0, 10, 20], 1000).driftPpb, undefined);
  t.is(lineThrough([0, 10, 20], 1000).offsetAt(START_NS), undefined);
  t.is(lineThrough([0, 0.1, 0.2, 0.3, 0.4], 1000).driftPpb, undefined);
  t.not(lineThrough([0, 10, 20, 30], 1000).driftPpb, undefined);
});

test('what was long ago does not count any more', (t) => {
  const line = lineThrough([0, 1, 2, 3, 4, 5], 400_000);
  const laterNs = 86_400n * SECOND_NS;
  for (let index = 0n; index < 5n; index += 1n) {
    line.add(burst(laterNs + index * SECOND_NS, 7_000_000n));
  }
  t.is(line.driftPpb, 0);
});

test('a burst with much jitter counts less than those with little', (t) => {
  const drift = (noiseNs: bigint): number => {
    const line = lineThrough([0, 1, 2, 3, 4], 0);
    line.add(burst(5n * SECOND_NS, 20_000n, noiseNs));
    return Math.abs(line.driftPpb ?? Number.NaN);
  };
  t.true(drift(500_000n) * 100 < drift(5000n));
});

test('a burst far off the line, for its jitter, begins a new line', (t) => {
  const offsetNs = 300_000n;
  const quiet = lineThrough([0, 1, 2, 3, 4], 0);
  quiet.add(burst(5n * SECOND_NS, offsetNs, 5000n));
  t.is(quiet.driftPpb, undefined);
  const noisy = lineThrough([0, 1, 2, 3, 4], 0);
  noisy.add(burst(5n * SECOND_NS, offsetNs, 500_000n));
  t.not(noisy.driftPpb, undefined);
});

test('after a reset nothing is known', (t) => {
  const line = lineThrough([0, 1, 2, 3, 4], 1000);
  line.reset();
  t.is(line.driftPpb, undefined);
  t.is(line.offsetAt(START_NS), undefined);
});

test('the error of the drift is no larger than the noise of the bursts allows', (t) => {
  const errors = fc.array(fc.double({ min: -1, max: 1, noNaN: true }), {
    minLength: 4,
    maxLength: 16,
  });
  const drifts = fc.integer({ min: -400_000, max: 400_000 });
  fc.assert(
    fc.property(errors, drifts, fc.bigInt(2000n, 500_000n), (parts, driftPpb, noiseNs) => {
      const line = new DriftLine();
      for (const [index, part] of parts.entries()) {
        const afterNs = BigInt(index) * 2n * SECOND_NS;
        const errorNs = BigInt(Math.round(Number(noiseNs) * part));
        line.add(burst(afterNs, driftedNs(afterNs, driftPpb) + errorNs, noiseNs));
      }
      // Least squares over four or more equal steps of 2 s: the worst slope is 0.8 of the noise
      // per step.
      const errorPpb = Math.abs((line.driftPpb ?? Number.NaN) - driftPpb);
      assert.ok(errorPpb <= (0.8 * Number(noiseNs)) / 2 + 2, `error ${errorPpb} ppb`);
    }),
  );
  t.pass();
});
