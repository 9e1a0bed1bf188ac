import test from 'ava';
import fc from 'fast-check';
import type { TracedTrial } from '../../../agent/device-telemetry.ts';
import { INSTANCES_TRACED_MAX, trialSpans } from '../../../agent/telemetry/trial-spans.ts';
import { TrialTracer } from '../../../agent/telemetry/trial-tracer.ts';
import { PROTOCOL_VERSION } from '../../../schemas/protocol.ts';
import { PHASES } from '../../../schemas/result.ts';
import type { Instance, PhaseStamps, TrialResult } from '../../../schemas/result.ts';
import { SPAN_NAMES } from '../../../schemas/span-names.ts';
import type { SpanName } from '../../../schemas/span-names.ts';
import { startTelemetry } from '../../../telemetry/sdk/set-up.ts';
import type { SpanDraft } from '../../../telemetry/sdk/span-tree.ts';
import { traceHeaders } from '../../../telemetry/sdk/trace-headers.ts';
import { CollectingSink } from '../../telemetry/sdk/collecting-sink.ts';

const UTC_MINUS_MONO_NS = 1_795_424_400_123_456_789n;
const PARENT = { traceId: 'a'.repeat(32), spanId: 'b'.repeat(16), traceFlags: 1 };
const FAILURE = { code: 'SANDBOX_FAILED', message: 'it exited with status 3' } as const;

/** All stamps, 1 000 001 ns apart, so that every digit shows. */
const FULL: PhaseStamps = Object.fromEntries(
  PHASES.map((phase, index) => [phase, 5_000_000_000n + BigInt(index) * 1_000_001n]),
);

function instance(change: Partial<Instance> = {}): Instance {
  return {
    index: 0,
    address: '10.0.0.2',
    status: 'ok',
    httpStatus: 200,
    phases: FULL,
    ...change,
  };
}

function traced(change: Partial<TrialResult> = {}, more: Partial<TracedTrial> = {}): TracedTrial {
  const cell = {
    id: 'microvm,hello',
    sandbox: 'microvm',
    function: 'hello',
    instances: 1,
  } as const;
  const names = { runId: 'run-1', trialId: 'trial-1', attempt: 1 };
  return {
    request: {
      protocol: PROTOCOL_VERSION,
      ...names,
      cell,
      procedure: 'cold-start',
      readyTimeoutMs: 10_000,
      latenessBudgetNs: 1_000_000n,
      clockBoundBudgetNs: 1_000_000n,
      wave: 0,
      probesMax: 40,
      probeDelayMs: 0,
    },
    headers: {},
    armedAtMonoNs: 4_000_000_000n,
    endedAtMonoNs: 6_000_000_007n,
    utcMinusMonoNs: UTC_MINUS_MONO_NS,
    result: {
      protocol: PROTOCOL_VERSION,
      ...names,
      deviceId: 'd1',
      cell,
      reportedBy: 'device',
      status: 'ok',
      invalid: [],
      clock: {
        fleetTime: 'f',
        offsetNs: -123_456_789_012_345_678n,
        boundNs: 250_000n,
        ageNs: 0n,
        probes: 12,
        roundTripMinNs: 500_000n,
        bracketed: true,
      },
      start: {
        targetFleetNs: 0n,
        targetMonoNs: 5_000_000_000n,
        actualMonoNs: 5_000_000_000n,
        latenessNs: 1500n,
        schedulingClass: 'SCHED_FIFO 10',
        wave: 0,
        startedAtUtcNs: 0n,
      },
      barriers: [],
      instances: [instance()],
      sandboxDetails: {},
      ...change,
    },
    ...more,
  };
}

function flatten(span: SpanDraft): SpanDraft[] {
  return [span, ...(span.children ?? []).flatMap(flatten)];
}

const durations = (span: SpanDraft) =>
  flatten(span).map(({ name, startUtcNs, endUtcNs }) => [name, endUtcNs - startUtcNs]);

test('trialSpans: each phase between its stamps, to the nanosecond', (t) => {
  const span = trialSpans(traced());
  t.deepEqual(durations(span), [
    ['process trial', 2_000_000_007n],
    ['prepare', 1_000_000_000n],
    ['sandbox', 10_000_010n],
    ['wait', 1_000_001n],
    ['spawn', 1_000_001n],
    ['boot', 1_000_001n],
    ['load', 1_000_001n],
    ['start', 1_000_001n],
    ['first response', 2_000_002n],
    ['teardown', 1_000_001n],
  ]);
  t.is(span.startUtcNs, UTC_MINUS_MONO_NS + 4_000_000_000n);
  t.is(span.children![1]!.events![0]!.atUtcNs, UTC_MINUS_MONO_NS + FULL.ready!);
  t.like(span.attributes, {
    'lockstep.run.id': 'run-1',
    'lockstep.trial.id': 'trial-1',
    'lockstep.clock.offset': '-123456789012345678',
    'lockstep.clock.bound': 0.00025,
    'lockstep.start.lateness': 0.0000015,
    'lockstep.scheduling.class': 'SCHED_FIFO 10',
    'lockstep.instances.untraced': 0,
  });
  t.false('lockstep.invalid' in span.attributes);
  t.is(span.error, undefined);
});

test('trialSpans: a container has no boot, and loads from the gate on', (t) => {
  const phases = { ...FULL };
  delete phases.guestEntry;
  const [, , ...inSandbox] = flatten(trialSpans(traced({ instances: [instance({ phases })] })));
  t.deepEqual(
    inSandbox.map(({ name }) => name),
    ['sandbox', 'wait', 'spawn', 'load', 'start', 'first response', 'teardown'],
  );
  const load = inSandbox.find(({ name }) => name === 'load')!;
  t.is(load.startUtcNs, UTC_MINUS_MONO_NS + FULL.gateOpen!);
});

test('trialSpans: a failed trial is an error with its code, and has what was reached', (t) => {
  const { request, spawn, gateOpen, teardownBegin, teardownEnd } = FULL;
  const phases = { request, spawn, gateOpen, teardownBegin, teardownEnd };
  const failed = instance({ status: 'failed', failure: FAILURE, phases });
  const span = trialSpans(
    traced({
      status: 'failed',
      failure: FAILURE,
      instances: [failed],
      invalid: [
        { code: 'paused', message: '1' },
        { code: 'paused', message: '2' },
        { code: 'late-start', message: '3' },
      ],
    }),
  );
  t.deepEqual(span.error, FAILURE);
  t.deepEqual(span.attributes['lockstep.invalid'], ['paused', 'late-start']);
  const sandbox = span.children!.find(({ name }) => name === 'sandbox')!;
  t.deepEqual(sandbox.error, FAILURE);
  t.deepEqual(
    sandbox.children!.map(({ name }) => name),
    ['wait', 'spawn', 'teardown'],
  );
});

test('trialSpans: a trial that never started has no span but its own', (t) => {
  const trial = traced({ status: 'failed', failure: FAILURE, instances: [] });
  const result = { ...trial.result };
  delete result.start;
  delete result.clock;
  t.deepEqual(durations(trialSpans({ ...trial, result })), [['process trial', 2_000_000_007n]]);
});

test('trialSpans: of more than 128 sandboxes those that failed come first', (t) => {
  const instances = Array.from({ length: 300 }, (_, index) =>
    instance({ index, ...(index === 299 ? { status: 'failed', failure: FAILURE } : {}) }),
  );
  const span = trialSpans(traced({ instances, status: 'failed', failure: FAILURE }));
  const sandboxes = span.children!.filter(({ name }) => name === 'sandbox');
  t.is(sandboxes.length, INSTANCES_TRACED_MAX);
  t.is(sandboxes[0]!.attributes['lockstep.instance.index'], 299);
  t.is(span.attributes['lockstep.instances.untraced'], 300 - INSTANCES_TRACED_MAX);
});

test('trialSpans: whatever stamps there are, spans are within each other and in order', (t) => {
  const stamps = fc.record(
    Object.fromEntries(PHASES.map((phase) => [phase, fc.bigInt(0n, 10_000_000_000n)])),
    { requiredKeys: [] },
  );
  t.notThrows(() => {
    fc.assert(
      fc.property(fc.array(stamps, { maxLength: 4 }), (all) => {
        const instances = all.map((phases, index) => instance({ index, phases }));
        const isSound = (span: SpanDraft): boolean =>
          span.endUtcNs >= span.startUtcNs &&
          (span.children ?? []).every(
            (child) =>
              child.startUtcNs >= span.startUtcNs &&
              child.endUtcNs <= span.endUtcNs &&
              (SPAN_NAMES[child.name] as { within?: SpanName }).within === span.name &&
              isSound(child),
          );
        return isSound(trialSpans(traced({ instances })));
      }),
    );
  });
});

async function emitted(trial: TracedTrial) {
  const sink = new CollectingSink();
  const telemetry = await startTelemetry({
    service: 'lockstep-agent',
    resource: { 'device.id': 'd1' },
    sink,
    environment: {},
  });
  new TrialTracer(telemetry.tracer).trace(trial);
  await telemetry.shutdown();
  return sink.spans();
}

test('TrialTracer: the spans are the drafts, below the span of the coordinator', async (t) => {
  const trial = traced({}, { headers: traceHeaders(PARENT, 'child') });
  const spans = await emitted(trial);
  const drafts = flatten(trialSpans(trial));
  t.is(spans.length, drafts.length);
  for (const draft of drafts) {
    const span = spans.find(({ name }) => name === draft.name)!;
    t.is(span.startUtcNs, draft.startUtcNs, draft.name);
    t.is(span.endUtcNs, draft.endUtcNs, draft.name);
    t.is(span.traceId, PARENT.traceId);
  }
  const idOf = (name: string) => spans.find((span) => span.name === name)!.spanId;
  const parentOf = (name: string) => spans.find((span) => span.name === name)!.parentSpanId;
  t.is(parentOf('process trial'), PARENT.spanId);
  t.is(parentOf('sandbox'), idOf('process trial'));
  t.is(parentOf('first response'), idOf('sandbox'));
  const kindOf = (name: string) => spans.find((span) => span.name === name)!.kind;
  t.is(kindOf('process trial'), 'SPAN_KIND_CONSUMER');
  t.is(kindOf('first response'), 'SPAN_KIND_CLIENT');
  t.is(kindOf('boot'), 'SPAN_KIND_INTERNAL');
  t.like(spans.find(({ name }) => name === 'first response')!.attributes, {
    'server.address': '10.0.0.2',
    'http.response.status_code': 200,
  });
  t.true(spans.every(({ isError }) => !isError));
});

test('TrialTracer: a device of a large fleet has a trace of its own, linked', async (t) => {
  const spans = await emitted(traced({}, { headers: traceHeaders(PARENT, 'link') }));
  const roots = spans.filter(({ parentSpanId }) => parentSpanId === undefined);
  t.deepEqual(
    roots.map(({ name, links }) => ({ name, links })),
    [
      {
        name: 'process trial',
        links: [{ traceId: PARENT.traceId, spanId: PARENT.spanId }],
      },
    ],
  );
  t.not(roots[0]!.traceId, PARENT.traceId);
  t.true(spans.every(({ traceId }) => traceId === roots[0]!.traceId));
});

test('TrialTracer: without a context, or with a broken one, a device begins a trace', async (t) => {
  for (const headers of [{}, { traceparent: '00-zz-00-01' }]) {
    const spans = await emitted(traced({}, { headers }));
    const roots = spans.filter(({ parentSpanId }) => parentSpanId === undefined);
    t.is(roots.length, 1);
    t.deepEqual(roots[0]!.links, []);
  }
});

test('TrialTracer: a failed trial shows as an error with its code', async (t) => {
  const spans = await emitted(traced({ status: 'failed', failure: FAILURE }));
  const [root] = spans.filter(({ name }) => name === 'process trial');
  t.true(root!.isError);
  t.is(root!.attributes['error.type'], 'SANDBOX_FAILED');
});

test('TrialTracer: log records belong to the trial that is going', (t) => {
  const tracer = new TrialTracer({ startSpan: () => t.fail() } as never);
  t.is(tracer.current, undefined);
  tracer.enter(traceHeaders(PARENT, 'child'));
  t.is(tracer.current?.spanId, PARENT.spanId);
  tracer.leave();
  t.is(tracer.current, undefined);
});
