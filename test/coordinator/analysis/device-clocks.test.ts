import test from 'ava';
import { ClockTally, SchedulingTally } from '../../../coordinator/analysis/device-clocks.ts';
import type { ClockEstimate } from '../../../schemas/clock.ts';
import type { TrialResult } from '../../../schemas/result.ts';
import { makeRun } from '../../support/run-fixture.ts';

function deviceClocks(results: readonly TrialResult[]) {
  const tally = new ClockTally();
  tally.add(results);
  return tally.summary();
}

function deviceScheduling(results: readonly TrialResult[]) {
  const tally = new SchedulingTally();
  tally.add(results);
  return tally.summary();
}

function withClocks(clocks: readonly Partial<ClockEstimate>[]): TrialResult[] {
  const { results } = makeRun({
    sandboxes: ['process'],
    functions: ['hello-go'],
    repetitions: clocks.length,
    agentsPerHost: [1],
  });
  return results.map((result, index) => {
    const clock: ClockEstimate = { ...result.clock! };
    delete clock.driftPpb;
    return { ...result, clock: { ...clock, ...clocks[index] } };
  });
}

test('ClockTally has the largest and the median bound, and the smallest round trip', (t) => {
  const [clock] = deviceClocks(
    withClocks([
      { boundNs: 10n, ageNs: 7n, roundTripMinNs: 50n, bracketed: true, driftPpb: 100 },
      { boundNs: 90n, ageNs: 9n, roundTripMinNs: 40n, bracketed: false },
      { boundNs: 20n, ageNs: 8n, roundTripMinNs: 60n, bracketed: true, driftPpb: 300 },
      { boundNs: 30n, ageNs: 8n, roundTripMinNs: 60n, bracketed: true },
    ]),
  );
  t.deepEqual(clock, {
    deviceId: 'agent-1',
    estimates: 4,
    boundMaxNs: 90,
    boundMedianNs: 25,
    ageMedianNs: 8,
    roundTripMinNs: 40,
    bracketedShare: 0.75,
    driftPpb: 200,
  });
});

test('ClockTally leaves out a drift that was not told, and devices without an estimate', (t) => {
  const results = withClocks([{}]);
  t.false('driftPpb' in deviceClocks(results)[0]!);
  const unclocked: TrialResult = { ...results[0]! };
  delete unclocked.clock;
  t.deepEqual(deviceClocks([unclocked]), []);
});

test('SchedulingTally has each class and each reason of a device once', (t) => {
  const { results } = makeRun({ repetitions: 3, agentsPerHost: [2], ordinary: 1 });
  const scheduling = deviceScheduling(results);
  t.deepEqual(
    scheduling.map(({ deviceId, classes, reasons }) => [deviceId, classes, reasons]),
    [
      ['agent-1', ['SCHED_FIFO 10'], []],
      ['agent-2', ['SCHED_OTHER 0'], ['no real-time scheduling: not permitted']],
    ],
  );
  t.is(scheduling[0]?.starts, results.length / 2);
});
