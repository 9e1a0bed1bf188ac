import test from 'ava';
import { RunTracer } from '../../../coordinator/telemetry/run-tracer.ts';
import { UtcLine } from '../../../coordinator/telemetry/utc-line.ts';
import type { FleetReading } from '../../../coordinator/telemetry/utc-line.ts';
import { LockstepError } from '../../../schemas/errors.ts';
import type { TrialResult } from '../../../schemas/result.ts';
import { startTelemetry } from '../../../telemetry/sdk/set-up.ts';
import { makeRun } from '../../support/run-fixture.ts';
import { SimulatedClock } from '../../support/simulated-clock.ts';
import { WarpedClock } from '../../support/warped-clock.ts';
import { CollectingSink } from '../../telemetry/sdk/collecting-sink.ts';

const { plan, results, run } = makeRun({ seed: 4, repetitions: 40 });
const FAILURE = { code: 'DEVICE_LOST', message: 'device d1 was lost' } as const;

interface Watcher {
  onResult(result: TrialResult): void;
}

/** Tells of results as the recorder does. */
class Results {
  readonly watchers = new Set<Watcher>();

  watch(watcher: Watcher): () => void {
    this.watchers.add(watcher);
    return () => this.watchers.delete(watcher);
  }

  tell(result: TrialResult): void {
    for (const watcher of this.watchers) watcher.onResult(result);
  }
}

async function withTracer<T>(
  devices: number,
  work: (tracer: RunTracer, results: Results, clock: SimulatedClock) => Promise<T>,
  isLive = false,
) {
  const sink = new CollectingSink();
  const telemetry = await startTelemetry({
    service: 'lockstep-coordinator',
    resource: {},
    sink,
    environment: {},
  });
  const clock = new SimulatedClock({ startMonoNs: 7_000_000_000_123n, readNs: 11n });
  const line = new UtcLine({
    monotonicNs: () => clock.monotonicNs(),
    utcNs: () => clock.utcNs(),
    name: 'here',
  });
  const traced = { runId: run.runId, experiment: 'fixture', devices, isLive };
  const source = new Results();
  const quiet: boolean[] = [];
  const tracer = new RunTracer(traced, {
    tracer: telemetry.tracer,
    line,
    onQuiet: (isQuiet) => quiet.push(isQuiet),
  });
  const value = await work(tracer, source, clock);
  await telemetry.shutdown();
  return { value, quiet, spans: sink.spans(), watchers: source.watchers.size };
}

const trial = plan.trials[0]!;
const ofTrial = results.filter(
  ({ trialId, status }) => trialId === trial.trialId && status === 'ok',
);
const standIn = (deviceId: string): TrialResult => ({
  ...ofTrial[0]!,
  deviceId,
  reportedBy: 'coordinator',
  status: 'failed',
  failure: FAILURE,
});

test('RunTracer: what was recorded in place of a device is an error of its trial', async (t) => {
  const { spans, watchers } = await withTracer(2, async (tracer, source) =>
    tracer.traceTrial(trial, source, ({ headers, step }) => {
      t.regex(headers['traceparent'] ?? '', /^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/);
      t.false('lockstep-trace' in headers);
      return step('await results', () => {
        const reported = [ofTrial[0]!, standIn('d1')];
        for (const result of reported) source.tell(result);
        source.tell({ ...standIn('d9'), trialId: 'another' });
        source.tell({ ...standIn('d9'), runId: 'another' });
        return Promise.resolve(reported);
      });
    }),
  );
  t.is(watchers, 0);
  const root = spans.find(({ name }) => name === 'dispatch trial')!;
  t.true(root.isError);
  t.is(root.attributes['error.type'], 'DEVICE_LOST');
  t.deepEqual(
    root.events.map(({ name, attributes }) => [name, attributes]),
    [
      [
        'exception',
        {
          'exception.type': 'DEVICE_LOST',
          'exception.message': FAILURE.message,
          'device.id': 'd1',
        },
      ],
    ],
  );
  const [event] = root.events;
  t.true(event!.atUtcNs >= root.startUtcNs && event!.atUtcNs <= root.endUtcNs);
});

test('RunTracer: a trial that threw, and one that was cancelled, are errors', async (t) => {
  const { spans } = await withTracer(2, async (tracer, source) => {
    const full = new LockstepError('STORAGE_FULL', 'no room');
    await t.throwsAsync(
      tracer.traceRun(async () => {
        await tracer.traceTrial(trial, source, ({ step }) =>
          step('go devices', () => Promise.reject(full)),
        );
      }),
      { is: full },
    );
    await tracer.traceTrial(trial, source, () => Promise.resolve(undefined));
  });
  t.deepEqual(
    spans.map(({ name, isError, attributes }) => [name, isError, attributes['error.type']]),
    [
      ['go devices', true, 'STORAGE_FULL'],
      ['dispatch trial', true, 'STORAGE_FULL'],
      ['run', true, 'STORAGE_FULL'],
      ['dispatch trial', true, 'CANCELLED'],
    ],
  );
});

test('RunTracer: a run is linked to all its trials, 128 in a span', async (t) => {
  const { spans } = await withTracer(2, (tracer, source) =>
    tracer.traceRun(async () => {
      for (const planned of plan.trials) {
        await tracer.traceTrial(planned, source, () => Promise.resolve([]));
      }
    }),
  );
  const trials = spans.filter(({ name }) => name === 'dispatch trial');
  t.is(trials.length, plan.trials.length);
  const runs = spans.filter(({ name }) => name.startsWith('run'));
  t.deepEqual(
    runs.flatMap(({ links }) => links.map(({ spanId }) => spanId)),
    trials.map(({ spanId }) => spanId),
  );
  t.true(runs.length > 2);
  t.true(runs.every(({ links }) => links.length <= 128));
  t.is(new Set(runs.map(({ traceId }) => traceId)).size, 1);
  t.is(runs.filter(({ parentSpanId }) => parentSpanId === undefined).length, 1);
});

test('RunTracer: more than 50 devices are told to begin traces of their own', async (t) => {
  for (const [devices, expected] of [
    [50, undefined],
    [51, 'link'],
  ] as const) {
    await withTracer(devices, (tracer, source) =>
      tracer.traceTrial(trial, source, ({ headers }) => {
        t.is(headers['lockstep-trace'], expected);
        return Promise.resolve([]);
      }),
    );
  }
});

test('RunTracer tells when a trial goes, unless the run is live', async (t) => {
  const oneTrial = async (tracer: RunTracer, source: Results) =>
    tracer.traceTrial(trial, source, () => Promise.resolve(undefined));
  t.deepEqual((await withTracer(1, oneTrial)).quiet, [true, false]);
  t.deepEqual((await withTracer(1, oneTrial, true)).quiet, []);
});

test('RunTracer: times are those of its clock, to the nanosecond', async (t) => {
  const { spans } = await withTracer(1, (tracer, source, clock) =>
    tracer.traceTrial(trial, source, () => {
      clock.nowMonoNs += 123_456_789n;
      return Promise.resolve([]);
    }),
  );
  const [span] = spans;
  // Each reading of the clock takes 11 ns.
  t.is((span!.endUtcNs - span!.startUtcNs) % 11n, 123_456_789n % 11n);
  t.true(span!.endUtcNs - span!.startUtcNs >= 123_456_789n);
  t.true(span!.endUtcNs - span!.startUtcNs < 123_457_789n);
});

/** A timekeeper whose clock is elsewhere, at the other end of a way of 2 ms and back 4 ms. */
function readingOf(own: SimulatedClock, fleet: WarpedClock): FleetReading {
  const askedAtMonoNs = own.monotonicNs();
  own.nowMonoNs += 2_000_000n;
  const nowFleetNs = fleet.monotonicNs();
  own.nowMonoNs += 4_000_000n;
  return { fleetTime: 'there', nowFleetNs, askedAtMonoNs, heardAtMonoNs: own.monotonicNs() };
}

test('utcMinusFleetNs: fleet time of another machine, within half of the round trip', async (t) => {
  await withTracer(1, async (tracer, source, clock) =>
    tracer.traceTrial(trial, source, () => {
      const fleet = new WarpedClock(clock, { offsetNs: -99_000_000_000n, driftPpm: 40 });
      const reading = readingOf(clock, fleet);
      const utcMinusFleetNs = tracer.utcMinusFleetNs(reading);
      const nowMonoNs = clock.monotonicNs();
      const errorNs = fleet.toOwn(nowMonoNs) + utcMinusFleetNs - clock.utcNs();
      t.true(errorNs < 3_000_100n && errorNs > -3_000_100n, String(errorNs));
      return Promise.resolve([]);
    }),
  );
});

test('utcMinusFleetNs: exact where fleet time is the own clock', async (t) => {
  await withTracer(1, async (tracer, source, clock) =>
    tracer.traceTrial(trial, source, () => {
      const reading = { ...readingOf(clock, new WarpedClock(clock)), fleetTime: 'here' };
      const differenceNs = clock.utcNs() - clock.nowMonoNs;
      const errorNs = tracer.utcMinusFleetNs(reading) - differenceNs;
      // The line was laid between two readings of 11 ns.
      t.true(errorNs <= 0n && errorNs >= -11n, String(errorNs));
      return Promise.resolve([]);
    }),
  );
});

test('UtcLine: slews do not move it, a step of the wall clock does', (t) => {
  let stepNs = 0n;
  const line = new UtcLine({
    monotonicNs: () => 5n,
    utcNs: () => 1000n + stepNs,
    name: 'here',
  });
  t.is(line.utcMinusMonoNs(), 995n);
  stepNs = 4_000_000n;
  t.is(line.utcMinusMonoNs(), 995n);
  stepNs = -3_600_000_000_000n;
  t.is(line.utcMinusMonoNs(), 995n + stepNs);
});
