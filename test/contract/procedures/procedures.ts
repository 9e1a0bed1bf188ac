import test from 'ava';
import type { ExecutionContext } from 'ava';
import type { MeasureName, Measurement } from '../../../schemas/measurement.ts';
import type { SandboxName } from '../../../schemas/sandbox.ts';
import { RunnerStage } from './runner-stage.ts';
import type { Outcome } from './runner-stage.ts';

/**
 * Tests the procedures that measure on one device in real sandboxes of a kind: what they measure
 * with which labels, what is kept when a function misbehaves, that a trial can be called off in the
 * middle, and that nothing is left after each.
 */
export function testProcedures(sandbox: SandboxName): void {
  let opened: RunnerStage | string = 'not opened';

  test.before('a measuring process is started', async () => {
    opened = await RunnerStage.open(sandbox);
  });

  test.after.always('the measuring process leaves nothing', async (t) => {
    if (typeof opened === 'string') return;
    t.deepEqual(await opened.close(), []);
  });

  for (const [title, run] of Object.entries(TRIALS)) {
    test.serial(`${sandbox}: ${title}`, async (t) => {
      if (typeof opened === 'string') {
        t.log(`skipped: ${opened}`);
        t.pass();
        return;
      }
      await run(t, opened);
      t.deepEqual(await opened.look(), []);
    });
  }
}

const TRIALS: Record<string, (t: ExecutionContext, stage: RunnerStage) => Promise<void>> = {
  'warm measures each call by its number': async (t, stage) => {
    const outcome = await stage.run({
      kind: 'warm',
      parameters: { calls: 5, pauseMs: 1 },
      instances: 2,
    });
    assertWell(t, outcome, 2);
    const calls = of(outcome, 'call.duration');
    t.is(calls.length, 10);
    for (const instance of [0, 1]) {
      const own = calls.filter((one) => one.instance === instance);
      t.deepEqual(
        own.map(({ labels }) => labels?.call),
        ['1', '2', '3', '4', '5'],
      );
    }
    t.true(calls.every(({ value }) => value > 0));
    // The size stays the same, so it is told once.
    const sizes = of(outcome, 'call.response_size');
    t.deepEqual(sizes.map(({ instance }) => instance).sort(), [0, 1]);
    for (const { labels, value } of sizes) {
      t.deepEqual([labels, value], [{ call: '1' }, 'Hello from go!\n'.length]);
    }
  },
  'compute tells the work alone and the whole call': async (t, stage) => {
    for (const [work, n] of [
      ['fib', 1_000_000],
      ['fft', 1024],
      ['matrix', 48],
    ] as const) {
      const parameters = { work, n, calls: 2, pauseMs: 1 };
      const outcome = await stage.run({ kind: 'compute', parameters, function: 'study-go' });
      assertWell(t, outcome, 1);
      assertCalls(t, outcome, ['1', '2'], { hasGuestDuration: true, work });
    }
  },
  'alloc, read and unzip do what they are asked': async (t, stage) => {
    const trials = [
      { kind: 'alloc', parameters: { mib: 8, calls: 2, pauseMs: 1 } },
      { kind: 'read', parameters: { calls: 2, pauseMs: 1 } },
      { kind: 'unzip', parameters: { pauseMs: 1 } },
      { kind: 'unzip', parameters: { archive: 'compressible', pauseMs: 1 } },
    ] as const;
    for (const trial of trials) {
      const outcome = await stage.run({ ...trial, function: 'study-go' });
      assertWell(t, outcome, 1);
      const isUnzip = trial.kind === 'unzip';
      const work = isUnzip
        ? 'archive' in trial.parameters
          ? 'compressible'
          : 'stored'
        : undefined;
      assertCalls(t, outcome, isUnzip ? ['1'] : ['1', '2'], {
        hasGuestDuration: true,
        ...(work === undefined ? {} : { work }),
      });
    }
  },
  'idle-memory reads three sources after each step, and their slopes': async (t, stage) => {
    const outcome = await stage.run({
      kind: 'idle-memory',
      parameters: { steps: 2, settleMs: 100 },
      instances: 4,
    });
    assertWell(t, outcome, 4);
    for (const measure of ['memory.cgroup', 'memory.pss', 'memory.available_drop'] as const) {
      const values = of(outcome, measure);
      t.deepEqual(
        values.map(({ labels }) => labels?.sandboxes),
        ['2', '4'],
        measure,
      );
      if (measure === 'memory.available_drop') continue;
      const [first = 0, second = 0] = values.map(({ value }) => value);
      t.true(first > 100_000 && second > first, `${measure}: ${first} ${second}`);
    }
    const slopes = of(outcome, 'memory.per_sandbox');
    t.deepEqual(
      slopes.map(({ labels }) => labels?.source),
      ['cgroup', 'pss', 'available'],
    );
    const [first = 0, second = 0] = of(outcome, 'memory.pss').map(({ value }) => value);
    t.is(slopes[1]?.value, (second - first) / 2);
  },
  'idle-cpu measures each sandbox in each interval': async (t, stage) => {
    const outcome = await stage.run({
      kind: 'idle-cpu',
      parameters: { settleMs: 50, intervalMs: 100, intervals: 3 },
      instances: 2,
    });
    assertWell(t, outcome, 2);
    const times = of(outcome, 'cpu.time');
    t.deepEqual(
      times.map(({ instance, labels }) => `${instance ?? ''} ${labels?.interval ?? ''}`),
      ['0 1', '1 1', '0 2', '1 2', '0 3', '1 3'],
    );
    t.true(times.every(({ value }) => value >= 0 && value < 1e9));
    assertCountedOrTold(t, outcome);
  },
  'density ends with what the cell says, or earlier for want of memory': async (t, stage) => {
    const all = await stage.run({ kind: 'density', instances: 3 });
    assertWell(t, all, 3);
    t.deepEqual(values(all, 'density.sandboxes'), [3]);
    t.regex(all.conditions?.['density-stopped'] ?? '', /as many as were to be tried/);
    const parameters = { stopAtMemoryAvailableMib: 1_048_576 };
    const few = await stage.run({ kind: 'density', parameters, instances: 3 });
    assertWell(t, few, 1);
    t.deepEqual(values(few, 'density.sandboxes'), [1]);
    t.regex(few.conditions?.['density-stopped'] ?? '', /MiB available, less than 1048576 MiB/);
  },
  'density fails if the first sandbox does': async (t, stage) => {
    const outcome = await stage.run({
      kind: 'density',
      function: 'misbehave-crash-before-ready',
      instances: 3,
    });
    t.deepEqual(codes(outcome), ['FUNCTION_CRASHED']);
    t.deepEqual(values(outcome, 'density.sandboxes'), []);
    t.regex(outcome.conditions?.['density-failure'] ?? '', /sandbox 0 after \w+: FUNCTION_CRASHED/);
  },
  'churn measures each cycle and keeps all sandboxes': async (t, stage) => {
    const outcome = await stage.run({ kind: 'churn', parameters: { cycles: 3 }, instances: 2 });
    assertWell(t, outcome, 6);
    t.deepEqual(
      of(outcome, 'churn.failures').map(({ labels, value }) => [labels?.cycle, value]),
      [
        ['1', 0],
        ['2', 0],
        ['3', 0],
      ],
    );
    const cycles = of(outcome, 'churn.cycle_duration');
    t.deepEqual(
      cycles.map(({ labels }) => labels?.cycle),
      ['1', '2', '3'],
    );
    t.true(cycles.every(({ value }) => value > 0));
    t.deepEqual(
      outcome.instances.map(({ index }) => index),
      [0, 1, 2, 3, 4, 5],
    );
  },
  'churn goes on after every failure, and counts them by code': async (t, stage) => {
    const outcome = await stage.run({
      kind: 'churn',
      parameters: { cycles: 3 },
      function: 'misbehave-crash-before-ready',
    });
    t.deepEqual(codes(outcome), Array(3).fill('FUNCTION_CRASHED'));
    t.deepEqual(values(outcome, 'churn.failures'), [1, 1, 1]);
    t.deepEqual(values(outcome, 'churn.cycle_duration'), []);
    const text = outcome.conditions?.['failures-FUNCTION_CRASHED'];
    t.is(text, '3 in all; in cycles: 1, 2, 3');
    t.true(outcome.instances.every(({ logTail }) => logTail?.includes('it crashes') === true));
  },
  'startup brings the page cache into each state, and says what was seen': async (t, stage) => {
    const totals = { 'hello-go': 1, 'study-go': 3 } as const;
    for (const [name, files] of Object.entries(totals)) {
      for (const pageCache of ['evicted', 'cached', 'as-is'] as const) {
        const outcome = await stage.run({
          kind: 'startup',
          parameters: { pageCache },
          function: name,
        });
        assertWell(t, outcome, 1);
        t.deepEqual(outcome.invalid ?? [], []);
        const conditions = outcome.conditions ?? {};
        t.is(conditions['page-cache'], pageCache);
        const before = sizes(conditions['page-cache-before'], files);
        const after = sizes(conditions['page-cache-after'], files);
        if (pageCache === 'evicted') {
          t.is(before.resident, 0);
          t.true(after.resident > 0, 'the function was read from the disk');
        } else if (pageCache === 'cached') {
          t.is(before.resident, before.size);
          t.true(after.resident >= after.size * 0.99);
        }
        t.is(conditions['coldness'], 'the function began after the request in 1 of 1');
        assertCountedOrTold(t, outcome);
        t.true(
          conditions['guest-exits'] !== undefined || values(outcome, 'guest.exits').length > 0,
        );
      }
    }
  },
  'a function that answers wrong fails with what it answered': async (t, stage) => {
    const status = await stage.run({ kind: 'warm', function: 'misbehave-status-500' });
    t.deepEqual(codes(status), ['FUNCTION_ANSWERED_WRONG']);
    t.is(status.measurements, undefined);
    // Without its data it knows no such file.
    const missing = await stage.run({ kind: 'read', parameters: { pauseMs: 0 } });
    t.deepEqual(codes(missing), ['FUNCTION_ANSWERED_WRONG']);
    t.regex(missing.instances[0]?.failure?.message ?? '', /\/read with status 404/);
  },
  'a function that is never ready fails at the deadline': async (t, stage) => {
    const readyTimeoutMs = 500;
    for (const kind of ['warm', 'idle-memory', 'density', 'startup'] as const) {
      const outcome = await stage.run({
        kind,
        parameters: { readyTimeoutMs },
        function: 'misbehave-never-ready',
        instances: 2,
      });
      t.true(
        codes(outcome).every((code) => code === 'FUNCTION_NOT_READY'),
        kind,
      );
      t.true(outcome.instances.length > 0);
      t.deepEqual(outcome.leftovers, []);
    }
  },
  'what was measured before a crash is kept': async (t, stage) => {
    const outcome = await stage.run({
      kind: 'warm',
      parameters: { calls: 2000, pauseMs: 5 },
      function: 'misbehave-crash-after-ready',
    });
    t.deepEqual(codes(outcome), ['FUNCTION_CRASHED']);
    const calls = of(outcome, 'call.duration').length;
    t.true(calls > 0 && calls < 2000, `${calls} calls`);
    t.regex(outcome.instances[0]?.logTail ?? '', /it crashes after it was ready/);
  },
  'a trial that waits is called off in the middle': async (t, stage) => {
    const waiting = [
      { kind: 'warm', parameters: { calls: 2, pauseMs: 60_000 } },
      { kind: 'idle-memory', parameters: { settleMs: 60_000 } },
      { kind: 'idle-cpu', parameters: { settleMs: 0, intervalMs: 60_000 } },
      { kind: 'churn', parameters: { cycles: 1000 } },
      { kind: 'density', function: 'misbehave-never-ready' },
    ] as const;
    for (const trial of waiting) {
      const { trialId } = await stage.arm({ instances: 2, ...trial });
      const going = stage.start(trialId);
      await new Promise((resolve) => setTimeout(resolve, 1000));
      // What is compared at the end of each trial can be seen while it goes.
      if (trial.kind !== 'churn') t.true(stage.lookNow().length > 0, trial.kind);
      t.deepEqual(await stage.standDown(trialId), []);
      const outcome = await going;
      t.deepEqual(outcome.leftovers, []);
      const { length } = outcome.instances;
      t.true(length > 0, trial.kind);
      // A churn may have been between two cycles.
      const failed = codes(outcome).filter((code) => code !== undefined);
      t.true(failed.every((code) => code === 'CANCELLED'));
      if (trial.kind !== 'churn') t.true(failed.length > 0, trial.kind);
    }
  },
  'an armed trial can be stood down before its start': async (t, stage) => {
    for (const kind of ['startup', 'idle-memory', 'density', 'churn'] as const) {
      const { trialId, targets } = await stage.arm({ kind, instances: 2 });
      t.is(targets, kind === 'density' || kind === 'idle-memory' ? 1 : 2);
      t.deepEqual(await stage.standDown(trialId), []);
    }
  },
};

function of({ measurements = [] }: Outcome, measure: MeasureName): Measurement[] {
  return measurements.filter((one) => one.measure === measure);
}

function values(outcome: Outcome, measure: MeasureName): number[] {
  return of(outcome, measure).map(({ value }) => value);
}

function codes({ instances }: Outcome): (string | undefined)[] {
  return instances.map(({ failure }) => failure?.code);
}

function assertWell(t: ExecutionContext, outcome: Outcome, instances: number): void {
  t.deepEqual(
    outcome.instances.map(({ failure, logTail }) => failure && { failure, logTail }),
    Array(instances).fill(undefined),
  );
  t.deepEqual(outcome.leftovers, []);
}

function assertCalls(
  t: ExecutionContext,
  outcome: Outcome,
  calls: readonly string[],
  expected: { hasGuestDuration: boolean; work?: string },
): void {
  const whole = of(outcome, 'call.duration');
  const alone = of(outcome, 'call.guest_duration');
  const { work } = expected;
  const labels = calls.map((call) => ({ call, ...(work === undefined ? {} : { work }) }));
  t.deepEqual(
    whole.map((one) => one.labels),
    labels,
  );
  t.deepEqual(
    alone.map((one) => one.labels),
    labels,
  );
  for (const [place, { value }] of alone.entries()) {
    t.true(value > 0 && value <= (whole[place]?.value ?? 0));
  }
}

/** Not every machine counts instructions; one that does not must say so. */
function assertCountedOrTold(t: ExecutionContext, outcome: Outcome): void {
  const reason = outcome.conditions?.['instructions'];
  const counted = values(outcome, 'cpu.instructions');
  t.is(reason === undefined, counted.length > 0);
  if (reason !== undefined) t.log(`instructions: ${reason}`);
}

function sizes(text = '', files: number): { resident: number; size: number } {
  const [, resident = '', size = '', count = ''] =
    /^(\d+) of (\d+) bytes of (\d+) files?$/.exec(text) ?? [];
  if (Number(count) !== files) throw new Error(`'${text}' instead of ${files} files`);
  return { resident: Number(resident), size: Number(size) };
}
