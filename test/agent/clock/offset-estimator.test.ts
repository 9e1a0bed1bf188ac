import assert from 'node:assert/strict';
import test from 'ava';
import fc from 'fast-check';
import { boundAt, estimateOffset } from '../../../agent/clock/offset-estimator.ts';
import type { OffsetEstimate, ProbeExchange } from '../../../agent/clock/offset-estimator.ts';
import { LockstepError } from '../../../schemas/errors.ts';

/** One exchange, as its parts, ns: to the timekeeper, there, back, and until the next one. */
interface Delays {
  readonly outNs: bigint;
  readonly processingNs: bigint;
  readonly backNs: bigint;
  readonly pauseNs: bigint;
}

const START_NS = 8_000_000_000_000n;
const YEARS_NS = 10n ** 18n;

const delays = fc.record({
  outNs: fc.bigInt(20_000n, 30_000_000n),
  processingNs: fc.bigInt(1000n, 5_000_000n),
  backNs: fc.bigInt(20_000n, 30_000_000n),
  pauseNs: fc.bigInt(100_000n, 10_000_000n),
});
const bursts = fc.array(delays, { minLength: 1, maxLength: 20 });
const offsets = fc.bigInt(-YEARS_NS, YEARS_NS);

/** The stamps of a burst, given how fleet time follows from the own clock. */
function stamp(burst: readonly Delays[], toFleet: (monoNs: bigint) => bigint): ProbeExchange[] {
  let sentAtMonoNs = START_NS;
  return burst.map(({ outNs, processingNs, backNs, pauseNs }) => {
    const receivedNs = sentAtMonoNs + outNs;
    const answeredNs = receivedNs + processingNs;
    const exchange = {
      sentAtMonoNs,
      receivedAtFleetNs: toFleet(receivedNs),
      answeredAtFleetNs: toFleet(answeredNs),
      returnedAtMonoNs: answeredNs + backNs,
    };
    sentAtMonoNs = exchange.returnedAtMonoNs + pauseNs;
    return exchange;
  });
}

function distance(left: bigint, right: bigint): bigint {
  return left > right ? left - right : right - left;
}

function one(outNs: bigint, backNs: bigint): OffsetEstimate {
  return estimateOffset(
    stamp([{ outNs, processingNs: 10_000n, backNs, pauseNs: 0n }], (monoNs) => monoNs + 7000n),
  );
}

function codeOf(error: unknown): string | undefined {
  return error instanceof LockstepError ? error.code : undefined;
}

test('the true offset is within the bound, whatever the delays', (t) => {
  fc.assert(
    fc.property(bursts, offsets, (burst, offsetNs) => {
      const estimate = estimateOffset(stamp(burst, (monoNs) => monoNs + offsetNs));
      assert.ok(distance(estimate.offsetNs, offsetNs) <= estimate.boundNs);
      assert.equal(estimate.probes, burst.length);
    }),
  );
  t.pass();
});

test('the true offset is within the bound, also while the clocks drift, and later', (t) => {
  const drifts = fc.bigInt(-400n, 400n);
  const ages = fc.bigInt(-60_000_000_000n, 60_000_000_000n);
  fc.assert(
    fc.property(bursts, offsets, drifts, ages, (burst, offsetNs, driftPpm, ageNs) => {
      const offsetAt = (monoNs: bigint): bigint =>
        offsetNs + ((monoNs - START_NS) * driftPpm) / 1_000_000n;
      const estimate = estimateOffset(stamp(burst, (monoNs) => monoNs + offsetAt(monoNs)));
      const nowNs = estimate.atMonoNs + ageNs;
      const errorNs = distance(estimate.offsetNs, offsetAt(nowNs));
      assert.ok(errorNs <= boundAt(estimate, nowNs) + 2n, `error ${errorNs} ns`);
    }),
  );
  t.pass();
});

test('the bound is no wider than half the shortest round trip and the drift', (t) => {
  fc.assert(
    fc.property(bursts, offsets, (burst, offsetNs) => {
      const exchanges = stamp(burst, (monoNs) => monoNs + offsetNs);
      const { boundNs, roundTripMinNs } = estimateOffset(exchanges);
      const expectedNs = burst
        .map(({ outNs, backNs }) => outNs + backNs)
        .reduce((least, value) => (value < least ? value : least));
      assert.equal(roundTripMinNs, expectedNs);
      const burstNs = exchanges.at(-1)!.returnedAtMonoNs - START_NS;
      assert.ok(boundNs <= roundTripMinNs / 2n + (burstNs * 500n) / 2_000_000n + 1n);
    }),
  );
  t.pass();
});

test('asymmetry of the way is not seen in the bound, which holds it all the same', (t) => {
  const even = one(500_000n, 500_000n);
  const uneven = one(990_000n, 10_000n);
  t.is(even.offsetNs, 7000n);
  t.is(uneven.offsetNs, 7000n + 490_000n);
  t.is(uneven.boundNs, even.boundNs);
  t.true(distance(uneven.offsetNs, 7000n) <= uneven.boundNs);
});

test('a longer way in one direction makes the bound wider by half of it', (t) => {
  const short = one(100_000n, 100_000n);
  const long = one(2_100_000n, 100_000n);
  const widerNs = long.boundNs - short.boundNs;
  t.true(widerNs >= 1_000_000n && widerNs <= 1_001_000n, String(widerNs));
});

test('exchanges that are uneven in opposite ways together narrow the bound', (t) => {
  const uneven = { processingNs: 1000n, pauseNs: 0n };
  const there = { ...uneven, outNs: 900_000n, backNs: 10_000n };
  const back = { ...uneven, outNs: 10_000n, backNs: 900_000n };
  const toFleet = (monoNs: bigint): bigint => monoNs - 123n;
  const alone = estimateOffset(stamp([there], toFleet));
  const both = estimateOffset(stamp([there, back], toFleet));
  t.true(both.boundNs * 10n < alone.boundNs);
  t.true(distance(both.offsetNs, -123n) <= both.boundNs);
});

test('a step of a clock during the burst is CLOCK_UNSYNCHRONISED, in both directions', (t) => {
  const even = { outNs: 50_000n, processingNs: 1000n, backNs: 50_000n, pauseNs: 0n };
  for (const stepNs of [20_000_000n, -20_000_000n]) {
    const burst = stamp([even, even, even], (monoNs) =>
      monoNs < START_NS + 150_000n ? monoNs : monoNs + stepNs,
    );
    const error = t.throws(() => estimateOffset(burst), { instanceOf: LockstepError });
    t.is(codeOf(error), 'CLOCK_UNSYNCHRONISED');
    t.regex(error.message, /contradict each other by \d+ ns/);
  }
});

test('no exchange at all is CLOCK_UNSYNCHRONISED', (t) => {
  t.is(
    codeOf(t.throws(() => estimateOffset([]), { instanceOf: LockstepError })),
    'CLOCK_UNSYNCHRONISED',
  );
});

test('boundAt grows by 500 ppm of the age, before and after', (t) => {
  const estimate = one(100_000n, 100_000n);
  t.is(boundAt(estimate, estimate.atMonoNs), estimate.boundNs);
  for (const ageNs of [1_000_000_000n, -1_000_000_000n, 60_000_000_000n]) {
    const sizeNs = ageNs < 0n ? -ageNs : ageNs;
    t.is(boundAt(estimate, estimate.atMonoNs + ageNs), estimate.boundNs + sizeNs / 2000n);
  }
});
