import test from 'ava';
import { SPANS, measure } from '../../../coordinator/analysis/metrics.ts';
import type { Instance, PhaseStamps, TrialResult } from '../../../schemas/result.ts';
import { makeRun } from '../../support/run-fixture.ts';

function resultWith(phases: readonly PhaseStamps[]): TrialResult {
  const { results } = makeRun({ repetitions: 1 });
  const [first] = results;
  const [model] = first!.instances;
  return {
    ...first!,
    cell: { ...first!.cell, instances: phases.length },
    instances: phases.map((stamps, index): Instance => ({ ...model!, index, phases: stamps })),
  };
}

function bySpan(spansNs: readonly (number | undefined)[]): Record<string, number> {
  return Object.fromEntries(
    SPANS.flatMap(({ span }, index): [string, number][] => {
      const value = spansNs[index];
      return value === undefined ? [] : [[span, value]];
    }),
  );
}

test('measure takes a cold start from request to first byte, and each span by its ends', (t) => {
  const { latencyNs, spansNs } = measure(
    resultWith([
      {
        request: 1000n,
        spawn: 1100n,
        guestEntry: 1400n,
        appMain: 1500n,
        ready: 1700n,
        firstByte: 1800n,
        lastByte: 1850n,
        teardownBegin: 5000n,
        teardownEnd: 5600n,
      },
    ]),
    'cold-start',
  );
  t.is(latencyNs, 800);
  t.deepEqual(bySpan(spansNs), {
    'request-spawn': 100,
    'spawn-guestEntry': 300,
    'guestEntry-appMain': 100,
    'spawn-appMain': 400,
    'appMain-ready': 200,
    'ready-firstByte': 100,
    'firstByte-lastByte': 50,
    teardown: 600,
  });
});

test('measure leaves out what was not stamped instead of counting it as 0', (t) => {
  const { latencyNs, spansNs } = measure(
    resultWith([{ request: 0n, appMain: 50n, firstByte: 80n }]),
    'cold-start',
  );
  t.is(latencyNs, 80);
  t.deepEqual(bySpan(spansNs), {});
  t.is(measure(resultWith([{ request: 0n }]), 'cold-start').latencyNs, undefined);
});

test('measure keeps nanoseconds where the clock itself is beyond 2^53', (t) => {
  const request = 2n ** 60n + 1n;
  const result = resultWith([{ request, firstByte: request + 1n }]);
  t.is(measure(result, 'cold-start').latencyNs, 1);
});

test('measure takes a burst from its first request to its last last byte', (t) => {
  const measures = measure(
    resultWith([
      { request: 100n, firstByte: 400n, lastByte: 410n },
      { request: 120n, firstByte: 320n, lastByte: 990n },
      { request: 110n, firstByte: 510n, lastByte: 520n },
    ]),
    'burst',
  );
  t.is(measures.latencyNs, 890);
  t.is(measures.instanceMedianNs, 300);
  // 200, 300, 400: type 7 at 0.95 is 300 + 0.9 x 100.
  t.true(Math.abs((measures.instanceP95Ns ?? 0) - 390) < 1e-9);
});

test('measure gives a burst no makespan unless every sandbox answered', (t) => {
  const whole = resultWith([
    { request: 0n, firstByte: 5n, lastByte: 6n },
    { request: 0n, firstByte: 5n, lastByte: 6n },
  ]);
  t.is(measure({ ...whole, instances: whole.instances.slice(1) }, 'burst').latencyNs, undefined);
  const open = resultWith([
    { request: 0n, firstByte: 5n, lastByte: 6n },
    { request: 0n, firstByte: 5n },
  ]);
  t.is(measure(open, 'burst').latencyNs, undefined);
});

test('measure gives a failed result no latency, and counts its failed sandboxes', (t) => {
  const result = resultWith([{ request: 0n, firstByte: 5n, lastByte: 6n }]);
  const failed: TrialResult = {
    ...result,
    status: 'failed',
    instances: result.instances.map((instance) => ({ ...instance, status: 'failed' })),
  };
  const measures = measure(failed, 'cold-start');
  t.is(measures.latencyNs, undefined);
  t.is(measures.instancesFailed, 1);
  t.deepEqual(bySpan(measures.spansNs), {});
});

test('measure splits at the gate and at the call, and keeps the wholes', (t) => {
  const { spansNs } = measure(
    resultWith([
      {
        request: 0n,
        spawn: 10n,
        gateOpen: 12n,
        appMain: 50n,
        ready: 60n,
        call: 65n,
        firstByte: 90n,
      },
    ]),
    'cold-start',
  );
  t.deepEqual(bySpan(spansNs), {
    'request-spawn': 10,
    'spawn-gateOpen': 2,
    'gateOpen-appMain': 38,
    'spawn-appMain': 40,
    'appMain-ready': 10,
    'ready-call': 5,
    'ready-firstByte': 30,
    'call-firstByte': 25,
  });
});

test('measure takes a warm call from its first call to its last last byte', (t) => {
  const { latencyNs } = measure(
    resultWith([
      { request: 0n, call: 520n, firstByte: 600n, lastByte: 640n },
      { request: 0n, call: 500n, firstByte: 590n, lastByte: 610n },
    ]),
    'warm-call',
  );
  t.is(latencyNs, 140);
});

test('measure gives a warm call no latency unless every sandbox was called and answered', (t) => {
  const answered = { call: 1n, firstByte: 5n, lastByte: 6n };
  for (const other of [
    { call: 1n, firstByte: 5n },
    { request: 0n, lastByte: 6n },
  ]) {
    t.is(measure(resultWith([answered, other]), 'warm-call').latencyNs, undefined);
  }
  const whole = resultWith([answered, answered]);
  t.is(measure(whole, 'warm-call').latencyNs, 5);
  const part = { ...whole, instances: whole.instances.slice(1) };
  t.is(measure(part, 'warm-call').latencyNs, undefined);
});

test('measure takes the lateness of the start for a no-op, also if it was early', (t) => {
  const { results } = makeRun({ kind: 'no-op', repetitions: 1 });
  const [result] = results;
  t.is(result?.instances.length, 0);
  const early = { ...result!, start: { ...result!.start!, latenessNs: -250n } };
  t.is(measure(early, 'no-op').latencyNs, -250);
  const unstarted: TrialResult = { ...result! };
  delete unstarted.start;
  t.is(measure(unstarted, 'no-op').latencyNs, undefined);
});
