import test from 'ava';
import { summarise } from '../../../coordinator/analysis/summary.ts';
import type { ClockEstimate } from '../../../schemas/clock.ts';
import type { StartRecord, TrialResult } from '../../../schemas/result.ts';
import { makeRun } from '../../support/run-fixture.ts';
import type { RunFixture } from '../../support/run-fixture.ts';

interface Start {
  readonly actualMonoNs: bigint;
  readonly offsetNs: bigint;
  readonly boundNs: bigint;
  readonly fleetTime?: string;
}

/** One trial, one start per device. */
function trialOf(agentsPerHost: readonly number[], starts: readonly Start[]): RunFixture {
  const fixture = makeRun({
    sandboxes: ['process'],
    functions: ['hello-go'],
    repetitions: 1,
    agentsPerHost,
  });
  const results = fixture.results.map((result, index): TrialResult => {
    const { actualMonoNs, offsetNs, boundNs, fleetTime } = starts[index]!;
    const start: StartRecord = { ...result.start!, actualMonoNs, latenessNs: 5n };
    const clock: ClockEstimate = {
      ...result.clock!,
      offsetNs,
      boundNs,
      fleetTime: fleetTime ?? 'one',
    };
    return { ...result, start, clock };
  });
  return { ...fixture, results };
}

test('start spread is the range of starts in fleet time, bounded by the two worst clocks', (t) => {
  const { run, plan, results } = trialOf(
    [1, 1, 1],
    [
      { actualMonoNs: 1_000_000n, offsetNs: 0n, boundNs: 300n },
      { actualMonoNs: 51_000_400n, offsetNs: -50_000_000n, boundNs: 100n },
      { actualMonoNs: 200_100n, offsetNs: 800_000n, boundNs: 250n },
    ],
  );
  const { start } = summarise(run, plan, results);
  t.is(start.trials[0]?.spreadNs, 400);
  t.is(start.trials[0]?.boundNs, 550);
  t.is(start.trials[0]?.devices, 3);
  t.is(start.pairBoundNs, 550);
  t.is(start.boundMaxNs, 300);
  t.is(start.sharedClockSpread, undefined);
  t.is(start.clocks[2]?.deviceId, 'agent-3');
  t.is(start.clocks[2]?.boundMaxNs, 250);
});

test('start spread on a shared clock needs no offset, and is told beside', (t) => {
  const { run, plan, results } = trialOf(
    [2],
    [
      { actualMonoNs: 1_000_000n, offsetNs: 700n, boundNs: 800n },
      { actualMonoNs: 1_000_150n, offsetNs: -100n, boundNs: 800n },
    ],
  );
  const { start } = summarise(run, plan, results);
  t.is(start.trials[0]?.spreadNs, 650);
  t.is(start.trials[0]?.sharedClockSpreadNs, 150);
});

test('start spread of one device is absent, not 0', (t) => {
  const { run, plan, results } = trialOf([1], [{ actualMonoNs: 1n, offsetNs: 0n, boundNs: 10n }]);
  const { start } = summarise(run, plan, results);
  t.is(start.spread, undefined);
  t.is(start.pairBoundNs, undefined);
  t.is(start.lateness?.n, 1);
});

test('start spread is unknown across two fleet times or without an estimate, and noted', (t) => {
  const starts = [
    { actualMonoNs: 1n, offsetNs: 0n, boundNs: 10n },
    { actualMonoNs: 1n, offsetNs: 0n, boundNs: 10n, fleetTime: 'two' },
  ];
  const { run, plan, results } = trialOf([1, 1], starts);
  const unclocked: TrialResult = { ...results[1]! };
  delete unclocked.clock;
  for (const changed of [results, [results[0]!, unclocked]]) {
    const summary = summarise(run, plan, changed);
    t.is(summary.start.spread, undefined);
    t.true(summary.notes.some(({ code }) => code === 'spread-unknown'));
  }
});

test('start spread keeps late and failed starts: they happened', (t) => {
  const { run, plan, results } = trialOf(
    [1, 1],
    [
      { actualMonoNs: 0n, offsetNs: 0n, boundNs: 10n },
      { actualMonoNs: 90_000_000n, offsetNs: 0n, boundNs: 10n },
    ],
  );
  const marked: TrialResult[] = [
    { ...results[0]!, status: 'failed' },
    { ...results[1]!, invalid: [{ code: 'late-start', message: '90 ms late' }] },
  ];
  t.is(summarise(run, plan, marked).start.spread?.maxNs, 90_000_000);
});

test('start spread is within a wave, because waves start one after the other', (t) => {
  const { run, plan, results } = makeRun({
    sandboxes: ['process'],
    functions: ['hello-go'],
    repetitions: 3,
    agentsPerHost: [1, 1, 1, 1],
    waves: 2,
  });
  const { start, notes } = summarise(run, plan, results);
  t.is(start.waves, 2);
  t.deepEqual(
    start.trials.map(({ position, wave, devices }) => [position, wave, devices]),
    [0, 1, 2].flatMap((position) => [0, 1].map((wave) => [position, wave, 2])),
  );
  // The waves of the fixture are half a second apart.
  t.true((start.spread?.maxNs ?? Infinity) < 1_000_000);
  t.false(notes.some(({ code }) => code === 'spread-unknown'));
});

test('start spread has no more waves than devices', (t) => {
  const { run, plan, results } = makeRun({ repetitions: 1, agentsPerHost: [1, 1], waves: 2 });
  const wished = { ...run, experiment: { ...run.experiment, waves: 20 } };
  t.is(summarise(wished, plan, results).start.waves, 2);
});

test('start points tell the lateness in fleet time by the offset that was found in the end', (t) => {
  const { run, plan, results } = trialOf(
    [1, 1],
    [
      { actualMonoNs: 0n, offsetNs: 0n, boundNs: 90n },
      { actualMonoNs: 0n, offsetNs: 0n, boundNs: 90n },
    ],
  );
  const [first, second] = results;
  const start: StartRecord = { ...first!.start!, targetFleetNs: 2n ** 60n, actualMonoNs: 1000n };
  const known = { ...first!, start, clock: { ...first!.clock!, offsetNs: 2n ** 60n - 970n } };
  const unknown: TrialResult = { ...second! };
  delete unknown.clock;
  const { points } = summarise(run, plan, [known, unknown]).start;
  t.is(points[0]?.fleetLatenessNs, 30);
  t.is(points[0]?.boundNs, 90);
  t.is(points[1]?.fleetLatenessNs, undefined);
  t.is(points[1]?.boundNs, undefined);
  t.is(points[1]?.latenessNs, 5);
});
