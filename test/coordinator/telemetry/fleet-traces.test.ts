import test from 'ava';
import { TrialTracer } from '../../../agent/telemetry/trial-tracer.ts';
import type { TrialResult } from '../../../schemas/result.ts';
import { startTelemetry } from '../../../telemetry/sdk/set-up.ts';
import { SimulatedFleet } from '../../simulation/fleet.ts';
import { NO_TELEMETRY } from '../../simulation/no-telemetry.ts';
import { CollectingSink } from '../../telemetry/sdk/collecting-sink.ts';
import type { DecodedSpan } from '../../telemetry/sdk/collecting-sink.ts';

const TRIALS = 3;

/** A run on a real server: the coordinator's SDK and one of all devices, whose clocks are wrong. */
async function runTraced(devices: number) {
  const sink = new CollectingSink();
  const common = { sink, environment: {} };
  const coordinator = await startTelemetry({
    service: 'lockstep-coordinator',
    resource: {},
    ...common,
  });
  const agents = await startTelemetry({ service: 'lockstep-agent', resource: {}, ...common });
  const tracer = new TrialTracer(agents.tracer);
  const fleet = await SimulatedFleet.start({
    devices,
    tracer: coordinator.tracer,
    telemetryOf: () => ({
      ...NO_TELEMETRY,
      traceTrial: (trial) => {
        tracer.trace(trial);
      },
    }),
  });
  try {
    const { run, results } = await fleet.run({ trials: TRIALS, timeoutMs: 60_000 });
    return { run, results, sink };
  } finally {
    await fleet.stop();
    await Promise.all([coordinator.shutdown(), agents.shutdown()]);
  }
}

const named = (spans: readonly DecodedSpan[], name: string) =>
  spans.filter((span) => span.name === name);

const childrenOf = (spans: readonly DecodedSpan[], { spanId }: DecodedSpan) =>
  spans.filter(({ parentSpanId }) => parentSpanId === spanId);

// On a busy machine a device may find that its instant has passed, and decline.
const ownResults = (results: readonly TrialResult[], trial: DecodedSpan) =>
  results.filter(
    ({ trialId, reportedBy }) =>
      reportedBy === 'device' && trialId === trial.attributes['lockstep.trial.id'],
  );

test.serial('a trial is one trace over coordinator and devices, on one line of time', async (t) => {
  const { run, results, sink } = await runTraced(4);
  t.is(run.state, 'completed');
  const spans = sink.spans();
  const trials = named(spans, 'dispatch trial');
  t.is(trials.length, TRIALS);
  t.is(new Set(trials.map(({ traceId }) => traceId)).size, TRIALS);
  for (const trial of trials) {
    const trace = spans.filter(({ traceId }) => traceId === trial.traceId);
    const roots = trace.filter(({ parentSpanId }) => parentSpanId === undefined);
    t.deepEqual(roots, [trial]);
    const known = new Set(trace.map(({ spanId }) => spanId));
    const orphans = trace.filter(
      ({ parentSpanId }) => parentSpanId !== undefined && !known.has(parentSpanId),
    );
    t.deepEqual(orphans, []);
    const children = childrenOf(spans, trial);
    const own = ownResults(results, trial);
    t.deepEqual(children.map(({ name }) => name).toSorted(), [
      'arm devices',
      'await results',
      'go devices',
      ...own.map(() => 'process trial'),
    ]);
    t.is(trial.events.length, 4 - own.length);
    t.is(trial.isError, own.length < 4);
    t.is(trial.kind, 'SPAN_KIND_PRODUCER');
    t.is(trial.resource['service.name'], 'lockstep-coordinator');
    for (const child of children) {
      // Clocks of the devices are up to ten seconds off; only the bound of the estimate is left.
      const boundS = Number(child.attributes['lockstep.clock.bound'] ?? 0);
      const boundNs = BigInt(Math.ceil(boundS * 1e9));
      t.true(child.startUtcNs >= trial.startUtcNs - boundNs, `${child.name} begins in its parent`);
      t.true(child.endUtcNs <= trial.endUtcNs + boundNs, `${child.name} ends in its parent`);
      if (child.name !== 'process trial') continue;
      t.is(child.resource['service.name'], 'lockstep-agent');
      t.is(child.attributes['lockstep.trial.id'], trial.attributes['lockstep.trial.id']);
    }
  }
  t.is(results.length, 4 * TRIALS);
  const [whole, ...others] = named(spans, 'run');
  t.deepEqual(others, []);
  t.is(whole!.attributes['lockstep.trials'], TRIALS);
  t.deepEqual(
    whole!.links.map(({ spanId }) => spanId),
    trials.toSorted((a, b) => Number(a.startUtcNs - b.startUtcNs)).map(({ spanId }) => spanId),
  );
  const runIds = new Set(named(spans, 'process trial').map((s) => s.attributes['lockstep.run.id']));
  t.deepEqual([...runIds], [run.runId]);
});

test.serial(
  'with more than 50 devices each has a trace of its own, linked to the trial',
  async (t) => {
    const { run, results, sink } = await runTraced(51);
    t.is(run.state, 'completed');
    const spans = sink.spans();
    const trials = new Map(named(spans, 'dispatch trial').map((span) => [span.spanId, span]));
    const devices = named(spans, 'process trial');
    const own = [...trials.values()].flatMap((trial) => ownResults(results, trial));
    t.true(own.length > 0);
    t.is(devices.length, own.length);
    t.is(new Set(devices.map(({ traceId }) => traceId)).size, own.length);
    for (const device of devices) {
      t.is(device.parentSpanId, undefined);
      const [link, ...others] = device.links;
      t.deepEqual(others, []);
      const trial = trials.get(link!.spanId)!;
      t.is(trial.traceId, link!.traceId);
      t.is(trial.attributes['lockstep.trial.id'], device.attributes['lockstep.trial.id']);
    }
  },
);
