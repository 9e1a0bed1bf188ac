import test from 'ava';
import { BarrierTally } from '../../../coordinator/analysis/barrier-summary.ts';
import type { TrialResult } from '../../../schemas/result.ts';
import { makeRun } from '../../support/run-fixture.ts';

function summariseBarriers(results: readonly TrialResult[]) {
  const tally = new BarrierTally();
  tally.add(results);
  return tally.summary();
}

interface Pass {
  /** When the device went on, on its own clock, after its start, ns. */
  readonly afterStartNs: bigint;
  readonly lateNs: bigint;
  readonly boundNs: bigint;
  readonly wave?: number;
}

/** One trial in which every device passed the barrier `ready`, started at 0 of fleet time. */
function passed(passes: readonly Pass[]): TrialResult[] {
  const { results } = makeRun({
    sandboxes: ['process'],
    functions: ['hello-go'],
    repetitions: 1,
    agentsPerHost: passes.map(() => 1),
  });
  return results.map((result, index): TrialResult => {
    const { afterStartNs, lateNs, boundNs, wave = 0 } = passes[index]!;
    const { actualMonoNs } = result.start!;
    const atNs = actualMonoNs + afterStartNs;
    return {
      ...result,
      start: { ...result.start!, wave },
      clock: { ...result.clock!, offsetNs: -actualMonoNs, boundNs },
      barriers: [
        { name: 'ready', arrivedMonoNs: atNs, targetMonoNs: atNs - lateNs, actualMonoNs: atNs },
      ],
    };
  });
}

test('BarrierTally compares devices in fleet time, with the two worst bounds', (t) => {
  const [barrier, ...others] = summariseBarriers(
    passed([
      { afterStartNs: 100n, lateNs: 4n, boundNs: 30n },
      { afterStartNs: 180n, lateNs: 6n, boundNs: 10n },
      { afterStartNs: 150n, lateNs: 9n, boundNs: 20n },
    ]),
  );
  t.is(others.length, 0);
  t.is(barrier?.name, 'ready');
  t.is(barrier?.passes, 3);
  t.is(barrier?.spread?.maxNs, 80);
  t.is(barrier?.lateness?.medianNs, 6);
  // 500 ppm of at most 180 ns are less than a nanosecond.
  t.is(Math.floor(barrier?.boundNs ?? 0), 50);
});

test('BarrierTally widens the bound by the drift since the start', (t) => {
  const second = 1_000_000_000n;
  const near = passed([
    { afterStartNs: 0n, lateNs: 0n, boundNs: 100n },
    { afterStartNs: 0n, lateNs: 0n, boundNs: 100n },
  ]);
  const far = passed([
    { afterStartNs: second, lateNs: 0n, boundNs: 100n },
    { afterStartNs: second, lateNs: 0n, boundNs: 100n },
  ]);
  t.is(summariseBarriers(near)[0]?.boundNs, 200);
  t.is(summariseBarriers(far)[0]?.boundNs, 1_000_200);
});

test('BarrierTally compares within a wave only', (t) => {
  const [barrier] = summariseBarriers(
    passed([
      { afterStartNs: 10n, lateNs: 0n, boundNs: 1n, wave: 0 },
      { afterStartNs: 15n, lateNs: 0n, boundNs: 1n, wave: 0 },
      { afterStartNs: 900n, lateNs: 0n, boundNs: 1n, wave: 1 },
      { afterStartNs: 907n, lateNs: 0n, boundNs: 1n, wave: 1 },
    ]),
  );
  t.is(barrier?.spread?.n, 2);
  t.is(barrier?.spread?.maxNs, 7);
});

test('BarrierTally has a lateness but no spread without two estimates of one clock', (t) => {
  const [first, second] = passed([
    { afterStartNs: 10n, lateNs: 3n, boundNs: 1n },
    { afterStartNs: 15n, lateNs: 5n, boundNs: 1n },
  ]);
  const unclocked: TrialResult = { ...second! };
  delete unclocked.clock;
  const foreign = { ...second!, clock: { ...second!.clock!, fleetTime: 'another' } };
  for (const other of [unclocked, foreign]) {
    const [barrier] = summariseBarriers([first!, other]);
    t.is(barrier?.spread, undefined);
    t.is(barrier?.boundNs, undefined);
    t.is(barrier?.lateness?.maxNs, 5);
  }
});

test('BarrierTally of results without barriers are none', (t) => {
  t.deepEqual(summariseBarriers(makeRun({ repetitions: 1 }).results), []);
});
