import assert from 'node:assert/strict';
import test from 'ava';
import fc from 'fast-check';
import {
  bracket,
  extrapolate,
  intersectExchanges,
  middleOf,
  widenTo,
} from '../../../agent/clock/offset-estimator.ts';
import type { OffsetInterval, ProbeExchange } from '../../../agent/clock/offset-estimator.ts';
import { LockstepError } from '../../../schemas/errors.ts';

/** One exchange, as its parts, ns: to the timekeeper, there, back, and until the next one. */
interface Delays {
  readonly outNs: bigint;
  readonly processingNs: bigint;
  readonly backNs: bigint;
  readonly pauseNs: bigint;
}

/** Fleet time of an instant on the own clock, ns. */
type ToFleet = (monoNs: bigint) => bigint;

const START_NS = 8_000_000_000_000n;
const YEARS_NS = 10n ** 18n;
const MINUTE_NS = 60_000_000_000n;

const delays = fc.record({
  outNs: fc.bigInt(20_000n, 30_000_000n),
  processingNs: fc.bigInt(1000n, 5_000_000n),
  backNs: fc.bigInt(20_000n, 30_000_000n),
  pauseNs: fc.bigInt(100_000n, 10_000_000n),
});
const bursts = fc.array(delays, { minLength: 1, maxLength: 20 });
const offsets = fc.bigInt(-YEARS_NS, YEARS_NS);
const ages = fc.bigInt(-MINUTE_NS, MINUTE_NS);
/** All that the drift allowance covers, parts per million. */
const drifts = fc.bigInt(-500n, 500n);
/** Steps of a clock, by how much they are larger than they need be to be seen, ns. */
const jumps = fc.record({ moreNs: fc.bigInt(1n, YEARS_NS), sign: fc.constantFrom(1n, -1n) });
const worlds = fc.record({ burst: bursts, offsetNs: offsets, driftPpm: drifts });

/** The stamps of a burst, given how fleet time follows from the own clock. */
function stamp(burst: readonly Delays[], toFleet: ToFleet, startNs = START_NS): ProbeExchange[] {
  let sentAtMonoNs = startNs;
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

function drifting(offsetNs: bigint, driftPpm: bigint): ToFleet {
  return (monoNs) => monoNs + offsetNs + ((monoNs - START_NS) * driftPpm) / 1_000_000n;
}

function distance(left: bigint, right: bigint): bigint {
  return left > right ? left - right : right - left;
}

function widthOf({ lowerNs, upperNs }: OffsetInterval): bigint {
  return upperNs - lowerNs;
}

function assertHolds({ lowerNs, upperNs, atMonoNs }: OffsetInterval, toFleet: ToFleet): void {
  const trueNs = toFleet(atMonoNs) - atMonoNs;
  assert.ok(lowerNs <= trueNs && trueNs <= upperNs, `${trueNs}: ${lowerNs} to ${upperNs}`);
}

function one(outNs: bigint, backNs: bigint): OffsetInterval {
  const burst = [{ outNs, processingNs: 10_000n, backNs, pauseNs: 0n }];
  return intersectExchanges(stamp(burst, (monoNs) => monoNs + 7000n));
}

function codeOf(work: () => unknown): string | undefined {
  try {
    work();
  } catch (error) {
    return error instanceof LockstepError ? error.code : String(error);
  }
  return undefined;
}

test('intersectExchanges holds the true offset, whatever the delays and the drift', (t) => {
  fc.assert(
    fc.property(worlds, ({ burst, offsetNs, driftPpm }) => {
      const toFleet = drifting(offsetNs, driftPpm);
      const interval = intersectExchanges(stamp(burst, toFleet));
      assertHolds(interval, toFleet);
      assert.equal(interval.probes, burst.length);
      const { offsetNs: middleNs, boundNs } = middleOf(interval);
      const trueNs = toFleet(interval.atMonoNs) - interval.atMonoNs;
      assert.ok(distance(middleNs, trueNs) <= boundNs);
    }),
  );
  t.pass();
});

test('widenTo holds the true offset at any other instant', (t) => {
  fc.assert(
    fc.property(worlds, ages, ({ burst, offsetNs, driftPpm }, ageNs) => {
      const toFleet = drifting(offsetNs, driftPpm);
      const interval = intersectExchanges(stamp(burst, toFleet));
      const wide = widenTo(interval, interval.atMonoNs + ageNs);
      assert.equal(wide.atMonoNs, interval.atMonoNs + ageNs);
      assertHolds(wide, toFleet);
    }),
  );
  t.pass();
});

test('extrapolate keeps the true offset within its bound, whatever is predicted', (t) => {
  const near = fc.bigInt(-(10n ** 8n), 10n ** 8n);
  const told = fc.option(fc.oneof(near, offsets), { nil: undefined });
  fc.assert(
    fc.property(worlds, ages, told, ({ burst, offsetNs, driftPpm }, ageNs, beyondNs) => {
      const toFleet = drifting(offsetNs, driftPpm);
      const interval = intersectExchanges(stamp(burst, toFleet));
      const atMonoNs = interval.atMonoNs + ageNs;
      const predictedNs = beyondNs === undefined ? undefined : offsetNs + beyondNs;
      const estimate = extrapolate(interval, atMonoNs, predictedNs);
      const errorNs = distance(estimate.offsetNs, toFleet(atMonoNs) - atMonoNs);
      assert.ok(errorNs <= estimate.boundNs, `error ${errorNs}, bound ${estimate.boundNs}`);
    }),
  );
  t.pass();
});

test('extrapolate takes what is predicted if it is within the limits, else the nearest', (t) => {
  const toFleet = drifting(0n, 40n);
  const even = { outNs: 50_000n, processingNs: 1000n, backNs: 50_000n, pauseNs: 0n };
  const interval = intersectExchanges(stamp([even, even, even], toFleet));
  const atMonoNs = interval.atMonoNs + MINUTE_NS;
  const trueNs = toFleet(atMonoNs) - atMonoNs;
  const wide = widenTo(interval, atMonoNs);
  t.is(extrapolate(interval, atMonoNs, trueNs).offsetNs, trueNs);
  t.is(extrapolate(interval, atMonoNs, wide.upperNs + 1n).offsetNs, wide.upperNs);
  t.is(extrapolate(interval, atMonoNs, wide.lowerNs - 1n).offsetNs, wide.lowerNs);
  t.not(extrapolate(interval, atMonoNs, undefined).offsetNs, trueNs);
});

test('bracket holds the true offset at any instant between two bursts', (t) => {
  fc.assert(
    fc.property(
      worlds,
      bursts,
      fc.bigInt(0n, 600_000_000_000n),
      fc.bigInt(0n, 100n),
      ({ burst, offsetNs, driftPpm }, laterBurst, gapNs, share) => {
        const toFleet = drifting(offsetNs, driftPpm);
        const exchanges = stamp(burst, toFleet);
        const before = intersectExchanges(exchanges);
        const laterNs = exchanges.at(-1)!.returnedAtMonoNs + gapNs;
        const after = intersectExchanges(stamp(laterBurst, toFleet, laterNs));
        const spanNs = after.atMonoNs - before.atMonoNs;
        const both = bracket(before, after, before.atMonoNs + (spanNs * share) / 100n);
        assertHolds(both, toFleet);
        assert.equal(both.probes, burst.length + laterBurst.length);
        // Two bursts never say less than either of them.
        for (const alone of [before, after]) {
          assert.ok(widthOf(both) <= widthOf(widenTo(alone, both.atMonoNs)));
        }
      },
    ),
  );
  t.pass();
});

test('bracket is CLOCK_STEPPED if a clock was stepped by more than both widths', (t) => {
  fc.assert(
    fc.property(
      worlds,
      bursts,
      fc.bigInt(0n, MINUTE_NS),
      jumps,
      ({ burst, offsetNs, driftPpm }, laterBurst, gapNs, { moreNs, sign }) => {
        const toFleet = drifting(offsetNs, driftPpm);
        const exchanges = stamp(burst, toFleet);
        const before = intersectExchanges(exchanges);
        const laterNs = exchanges.at(-1)!.returnedAtMonoNs + gapNs;
        const still = intersectExchanges(stamp(laterBurst, toFleet, laterNs));
        const atMonoNs = (before.atMonoNs + still.atMonoNs) / 2n;
        const widthNs = widthOf(widenTo(before, atMonoNs)) + widthOf(widenTo(still, atMonoNs));
        const stepNs = (widthNs + moreNs) * sign;
        const stepped = stamp(laterBurst, (monoNs) => toFleet(monoNs) + stepNs, laterNs);
        const after = intersectExchanges(stepped);
        assert.equal(
          codeOf(() => bracket(before, after, atMonoNs)),
          'CLOCK_STEPPED',
        );
      },
    ),
  );
  t.pass();
});

test('intersectExchanges is CLOCK_STEPPED if a clock was stepped during the burst', (t) => {
  fc.assert(
    fc.property(
      fc.array(delays, { minLength: 2, maxLength: 20 }),
      offsets,
      fc.nat(),
      jumps,
      (burst, offsetNs, where, { moreNs, sign }) => {
        const toFleet = drifting(offsetNs, 0n);
        const exchanges = stamp(burst, toFleet);
        const first = 1 + (where % (burst.length - 1));
        const stepAtNs = exchanges[first]!.sentAtMonoNs;
        const widths = [exchanges.slice(0, first), exchanges.slice(first)].map((part) =>
          widthOf(intersectExchanges(part)),
        );
        // The limits of a part hold for the middle of that part; of the burst, they are wider.
        const burstNs = exchanges.at(-1)!.returnedAtMonoNs - START_NS;
        const widestNs = widths.reduce((sum, widthNs) => sum + widthNs) + burstNs / 400n;
        const stepNs = (widestNs + moreNs) * sign;
        const stepped = stamp(
          burst,
          (monoNs) => toFleet(monoNs) + (monoNs < stepAtNs ? 0n : stepNs),
        );
        assert.equal(
          codeOf(() => intersectExchanges(stepped)),
          'CLOCK_STEPPED',
        );
      },
    ),
  );
  t.pass();
});

test('the limits are no wider than the shortest round trip and the drift of the burst', (t) => {
  fc.assert(
    fc.property(bursts, offsets, (burst, offsetNs) => {
      const exchanges = stamp(burst, (monoNs) => monoNs + offsetNs);
      const interval = intersectExchanges(exchanges);
      const expectedNs = burst
        .map(({ outNs, backNs }) => outNs + backNs)
        .reduce((least, value) => (value < least ? value : least));
      assert.equal(interval.roundTripMinNs, expectedNs);
      assert.equal(interval.burstNs, exchanges.at(-1)!.returnedAtMonoNs - START_NS);
      assert.ok(widthOf(interval) <= expectedNs + (interval.burstNs * 500n) / 1_000_000n + 2n);
    }),
  );
  t.pass();
});

test('asymmetry of the way is not seen in the bound, which holds it all the same', (t) => {
  const even = middleOf(one(500_000n, 500_000n));
  const uneven = middleOf(one(990_000n, 10_000n));
  t.is(even.offsetNs, 7000n);
  t.is(uneven.offsetNs, 7000n + 490_000n);
  t.is(uneven.boundNs, even.boundNs);
  t.true(distance(uneven.offsetNs, 7000n) <= uneven.boundNs);
});

test('a longer way in one direction makes the bound wider by half of it', (t) => {
  const short = middleOf(one(100_000n, 100_000n));
  const long = middleOf(one(2_100_000n, 100_000n));
  const widerNs = long.boundNs - short.boundNs;
  t.true(widerNs >= 1_000_000n && widerNs <= 1_002_000n, String(widerNs));
});

test('exchanges that are uneven in opposite ways together narrow the bound', (t) => {
  const uneven = { processingNs: 1000n, pauseNs: 0n };
  const there = { ...uneven, outNs: 900_000n, backNs: 10_000n };
  const back = { ...uneven, outNs: 10_000n, backNs: 900_000n };
  const toFleet = (monoNs: bigint): bigint => monoNs - 123n;
  const alone = middleOf(intersectExchanges(stamp([there], toFleet)));
  const both = middleOf(intersectExchanges(stamp([there, back], toFleet)));
  t.true(both.boundNs * 10n < alone.boundNs);
  t.true(distance(both.offsetNs, -123n) <= both.boundNs);
});

test('no exchange at all is CLOCK_UNSYNCHRONISED', (t) => {
  t.is(
    codeOf(() => intersectExchanges([])),
    'CLOCK_UNSYNCHRONISED',
  );
});

test('widenTo grows by 500 ppm of the age on either side, before and after', (t) => {
  const interval = one(100_000n, 100_000n);
  for (const ageNs of [1_000_000_000n, -1_000_000_000n, MINUTE_NS]) {
    const sizeNs = ageNs < 0n ? -ageNs : ageNs;
    const wide = widenTo(interval, interval.atMonoNs + ageNs);
    t.is(interval.lowerNs - wide.lowerNs, sizeNs / 2000n + 1n);
    t.is(wide.upperNs - interval.upperNs, sizeNs / 2000n + 1n);
  }
});
