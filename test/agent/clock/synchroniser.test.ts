import assert from 'node:assert/strict';
import test from 'ava';
import fc from 'fast-check';
import { Synchroniser } from '../../../agent/clock/synchroniser.ts';
import type { ProbeAnswer, TimeProbe } from '../../../agent/clock/time-probe.ts';
import { LockstepError } from '../../../schemas/errors.ts';
import { rejection } from '../../support/rejection.ts';
import { SimulatedClock } from '../../support/simulated-clock.ts';

const MS = 1_000_000n;
const US = 1000n;
const SECOND_NS = 1000n * MS;

/** A link to a timekeeper whose clock is the device's plus an offset, both set by the test. */
class SimulatedLink implements TimeProbe {
  readonly clock = new SimulatedClock({ readNs: 10n });
  readonly synchroniser = new Synchroniser({ probe: this, clock: this.clock });
  offsetNs = 7_000_000_000_000n;
  fleetTime = 'boot-1/time:[1]';
  /** Probes asked for so far. */
  asked = 0;
  /** Delay of the n-th probe there and back, ns; or nothing, if it is lost. */
  delayOf: (probe: number) => { outNs: bigint; backNs: bigint } | undefined = () => ({
    outNs: 100n * US,
    backNs: 100n * US,
  });
  /** Called before each probe. */
  beforeProbe: (probe: number) => void = () => undefined;

  exchange(timeoutMs: number): Promise<ProbeAnswer> {
    this.asked += 1;
    this.beforeProbe(this.asked);
    const delay = this.delayOf(this.asked);
    if (delay === undefined) {
      this.pass(BigInt(timeoutMs) * MS);
      return Promise.reject(new LockstepError('DEADLINE_EXCEEDED', 'nobody answered'));
    }
    const sentAtMonoNs = this.clock.monotonicNs();
    this.pass(delay.outNs);
    const receivedAtFleetNs = this.clock.monotonicNs() + this.offsetNs;
    this.pass(5n * US);
    const answeredAtFleetNs = this.clock.monotonicNs() + this.offsetNs;
    this.pass(delay.backNs);
    const returnedAtMonoNs = this.clock.monotonicNs();
    const exchange = { sentAtMonoNs, receivedAtFleetNs, answeredAtFleetNs, returnedAtMonoNs };
    return Promise.resolve({ exchange, fleetTime: this.fleetTime });
  }

  pass(durationNs: bigint): void {
    this.clock.nowMonoNs += durationNs;
  }

  /** The estimate of a burst for the instant after it. */
  async estimate(): Promise<{ offsetNs: bigint; boundNs: bigint }> {
    const interval = await this.synchroniser.measure();
    return this.synchroniser.estimateAfter(interval, this.clock.monotonicNs());
  }
}

function codeOf(error: unknown): string | undefined {
  return error instanceof LockstepError ? error.code : undefined;
}

function distance(left: bigint, right: bigint): bigint {
  return left > right ? left - right : right - left;
}

test('the true offset is within the bound, whatever the delays there and back', async (t) => {
  const delay = fc.record({ outNs: fc.bigInt(0n, 9n * MS), backNs: fc.bigInt(0n, 9n * MS) });
  await fc.assert(
    fc.asyncProperty(fc.array(delay, { minLength: 40, maxLength: 40 }), async (delays) => {
      const link = new SimulatedLink();
      link.delayOf = (probe) => delays[probe - 1];
      const { offsetNs, boundNs } = await link.estimate();
      assert.ok(distance(offsetNs, link.offsetNs) <= boundNs);
    }),
  );
  t.pass();
});

test('asymmetry of the link shows as width', async (t) => {
  const asymmetric = new SimulatedLink();
  asymmetric.delayOf = () => ({ outNs: 5n * MS, backNs: MS });
  const symmetric = new SimulatedLink();
  symmetric.delayOf = () => ({ outNs: MS, backNs: MS });
  const wide = await asymmetric.estimate();
  const narrow = await symmetric.estimate();
  t.true(wide.boundNs > 2n * narrow.boundNs);
  t.true(distance(wide.offsetNs, asymmetric.offsetNs) > MS, 'a middle that is off by the half');
});

test('a burst on a steady link ends early', async (t) => {
  const steady = new SimulatedLink();
  await steady.synchroniser.measure();
  const narrowing = new SimulatedLink();
  narrowing.delayOf = (probe) => {
    const delayNs = (60n - BigInt(probe)) * 100n * US;
    return { outNs: delayNs, backNs: delayNs };
  };
  await narrowing.synchroniser.measure();
  t.true(steady.asked < narrowing.asked, `${steady.asked} and ${narrowing.asked} probes`);
});

test('a burst on a slow link ends by time, with fewer probes', async (t) => {
  const slow = new SimulatedLink();
  slow.delayOf = () => ({ outNs: 60n * MS, backNs: 60n * MS });
  const interval = await slow.synchroniser.measure();
  const fast = new SimulatedLink();
  await fast.synchroniser.measure();
  t.true(interval.probes >= 4 && slow.asked < fast.asked, `${slow.asked} probes`);
  t.true(interval.burstNs < 2n * 400n * MS);
});

test('too few answers make no estimate', async (t) => {
  const link = new SimulatedLink();
  link.delayOf = (probe) => (probe <= 3 ? { outNs: MS, backNs: MS } : undefined);
  const error = await rejection(link.synchroniser.measure());
  t.is(error.code, 'CLOCK_UNSYNCHRONISED');
  t.regex(error.message, /only 3 clock probes/);
  t.is(link.synchroniser.fresh, undefined);
});

test('a timekeeper that falls silent is not waited for again and again', async (t) => {
  for (const answered of [0, 1, 3]) {
    const link = new SimulatedLink();
    link.delayOf = (probe) => (probe <= answered ? { outNs: MS, backNs: MS } : undefined);
    const startNs = link.clock.monotonicNs();
    await rejection(link.synchroniser.measure());
    const tookNs = link.clock.monotonicNs() - startNs;
    t.true(tookNs < 5n * SECOND_NS, `after ${answered} answers: ${tookNs} ns`);
  }
});

test('single lost probes do not spoil a burst', async (t) => {
  const link = new SimulatedLink();
  link.delayOf = (probe) =>
    probe === 2 || probe === 9 ? undefined : { outNs: 100n * US, backNs: 100n * US };
  const { offsetNs, boundNs } = await link.estimate();
  t.true(distance(offsetNs, link.offsetNs) <= boundNs);
});

test('a burst stays fresh for a while only, longer if its bound is wide', async (t) => {
  const freshNs = async (delayNs: bigint): Promise<bigint> => {
    const link = new SimulatedLink();
    link.delayOf = () => ({ outNs: delayNs, backNs: delayNs });
    const interval = await link.synchroniser.measure();
    assert.equal(link.synchroniser.fresh, interval);
    const startNs = link.clock.nowMonoNs;
    while (isFresh(link)) link.pass(MS);
    return link.clock.nowMonoNs - startNs;
  };
  t.is(new SimulatedLink().synchroniser.fresh, undefined);
  const narrowNs = await freshNs(100n * US);
  const wideNs = await freshNs(5n * MS);
  t.true(wideNs > 10n * narrowNs, `${wideNs} and ${narrowNs} ns`);
  // A quarter of the bound, at 500 ppm of drift.
  t.true(narrowNs <= (100n * US + 20n * US) * 500n, String(narrowNs));
});

test('nothing is fresh after what was known is forgotten', async (t) => {
  const link = new SimulatedLink();
  await link.synchroniser.measure();
  link.synchroniser.forget();
  t.is(link.synchroniser.fresh, undefined);
});

test('another timekeeper during the probes voids the burst and what was known', async (t) => {
  const link = new SimulatedLink();
  await link.synchroniser.measure();
  link.beforeProbe = () => {
    link.fleetTime = 'boot-2/time:[1]';
    link.beforeProbe = () => {
      link.fleetTime = 'boot-1/time:[1]';
    };
  };
  const error = await rejection(link.synchroniser.measure());
  t.is(error.code, 'CLOCK_UNSYNCHRONISED');
  t.regex(error.message, /changed from boot-2\S+ to boot-1/);
  t.is(link.synchroniser.fresh, undefined);
});

test('probes that contradict each other void the burst and what was known', async (t) => {
  const link = new SimulatedLink();
  await link.synchroniser.measure();
  const before = link.asked;
  link.beforeProbe = (probe) => {
    if (probe === before + 5) link.offsetNs += SECOND_NS;
  };
  t.is((await rejection(link.synchroniser.measure())).code, 'CLOCK_STEPPED');
  t.is(link.synchroniser.fresh, undefined);
});

test('bursts around an instant narrow the bound and say so', async (t) => {
  const link = new SimulatedLink();
  const before = await link.synchroniser.measure();
  link.pass(SECOND_NS);
  const atMonoNs = link.clock.monotonicNs();
  link.pass(20n * MS);
  const after = await link.synchroniser.measure();
  const between = link.synchroniser.estimateBetween(before, after, atMonoNs);
  const oneSided = link.synchroniser.estimateAfter(before, atMonoNs);
  t.true(between.bracketed && !oneSided.bracketed);
  t.true(between.boundNs < oneSided.boundNs);
  t.true(between.ageNs < oneSided.ageNs, 'the nearer burst tells the age');
  t.true(distance(between.offsetNs, link.offsetNs) <= between.boundNs);
});

test('bursts around a step contradict each other', async (t) => {
  const link = new SimulatedLink();
  const before = await link.synchroniser.measure();
  const atMonoNs = link.clock.monotonicNs();
  link.offsetNs += SECOND_NS;
  const after = await link.synchroniser.measure();
  const error = t.throws(() => link.synchroniser.estimateBetween(before, after, atMonoNs));
  t.is(codeOf(error), 'CLOCK_STEPPED');
});

test('bursts against two timekeepers can not be put together', async (t) => {
  const link = new SimulatedLink();
  const before = await link.synchroniser.measure();
  link.fleetTime = 'boot-2/time:[1]';
  const after = await link.synchroniser.measure();
  const error = t.throws(() =>
    link.synchroniser.estimateBetween(before, after, before.atMonoNs + MS),
  );
  t.is(codeOf(error), 'CLOCK_CHANGED');
});

/** The drift that is known after bursts two seconds apart, with something done before the last. */
async function driftAfter(
  link: SimulatedLink,
  beforeLast: () => void,
): Promise<number | undefined> {
  for (let index = 0; index < 5; index += 1) await nextBurst(link);
  beforeLast();
  const { driftPpb } = link.synchroniser.estimateAfter(
    await nextBurst(link),
    link.clock.monotonicNs(),
  );
  return driftPpb;
}

function isFresh(link: SimulatedLink): boolean {
  return link.synchroniser.fresh !== undefined;
}

function nextBurst(link: SimulatedLink): ReturnType<Synchroniser['measure']> {
  link.pass(2n * SECOND_NS);
  link.offsetNs += 80n * US;
  return link.synchroniser.measure();
}

test('the drift is known after some bursts, and not taken from before a step', async (t) => {
  const steady = new SimulatedLink();
  const driftPpb = (await driftAfter(steady, () => undefined)) ?? Number.NaN;
  t.true(Math.abs(driftPpb - 40_000) < 4000, String(driftPpb));
  const stepped = new SimulatedLink();
  const afterStep = await driftAfter(stepped, () => {
    stepped.offsetNs -= SECOND_NS;
  });
  t.is(afterStep, undefined);
  const changed = new SimulatedLink();
  const afterChange = await driftAfter(changed, () => {
    changed.fleetTime = 'boot-2/time:[1]';
  });
  t.is(afterChange, undefined);
});

test('bursts that are asked for at once go one after the other', async (t) => {
  const link = new SimulatedLink();
  const [first, second] = await Promise.all([
    link.synchroniser.measure(),
    link.synchroniser.measure(),
  ]);
  t.true(second.atMonoNs - first.atMonoNs >= first.burstNs / 2n + second.burstNs / 2n);
});

test('a burst that fails does not keep the next from its turn', async (t) => {
  const link = new SimulatedLink();
  link.delayOf = (probe) => (probe <= 2 ? undefined : { outNs: MS, backNs: MS });
  const [failed, well] = await Promise.allSettled([
    link.synchroniser.measure(),
    link.synchroniser.measure(),
  ]);
  t.is(failed.status, 'rejected');
  t.is(well.status, 'fulfilled');
});
