import assert from 'node:assert/strict';
import test from 'ava';
import fc from 'fast-check';
import type {
  PlannedDevice,
  PlannedFunction,
} from '../../../coordinator/planning/cell-obstacles.ts';
import { PLAN_CELLS_MAX, PLAN_TRIALS_MAX, plan } from '../../../coordinator/planning/planner.ts';
import { LockstepError } from '../../../schemas/errors.ts';
import { Experiment } from '../../../schemas/experiment.ts';
import { Plan } from '../../../schemas/plan.ts';
import type { PlannedTrial } from '../../../schemas/plan.ts';
import { SandboxName } from '../../../schemas/sandbox.ts';

const FUNCTIONS: readonly PlannedFunction[] = [
  { name: 'hello-go', staticBinary: true, form: 'program' as const },
  { name: 'hello-node', staticBinary: false, form: 'program' as const },
];

function experimentWith(changes: Record<string, unknown> = {}): Experiment {
  return Experiment.parse({
    experiment: 'test',
    question: 'Why?',
    procedure: { kind: 'burst' },
    factors: { sandbox: ['process', 'runc'], function: ['hello-go', 'hello-node'] },
    repetitions: 3,
    ...changes,
  });
}

/** A device on which every sandbox works but those named. */
function deviceWithout(deviceId: string, missing: readonly SandboxName[] = []): PlannedDevice {
  return {
    deviceId,
    sandboxes: SandboxName.options.map((name) =>
      missing.includes(name)
        ? {
            available: false,
            name,
            failure: {
              code: 'TOOL_MISSING',
              message: `${name} is not installed`,
              hint: `Install ${name}.`,
            },
          }
        : { available: true, name, details: {}, probeMs: 1 },
    ),
  };
}

const ids = (made: Plan): string[] => made.trials.map(({ cell }) => cell.id);

test('plan in fixed order repeats the factors as written', (t) => {
  const made = plan(experimentWith({ order: 'fixed', repetitions: 2 }), [], FUNCTIONS);
  const block = [
    'process/hello-go/1',
    'process/hello-node/1',
    'runc/hello-go/1',
    'runc/hello-node/1',
  ];
  t.deepEqual(ids(made), [...block, ...block]);
  t.deepEqual(
    made.trials.map(({ repetition }) => repetition),
    [0, 0, 0, 0, 1, 1, 1, 1],
  );
});

test('plan in randomised blocks keeps its order from release to release', (t) => {
  const made = plan(experimentWith({ repetitions: 2, seed: 7 }), [], FUNCTIONS);
  t.deepEqual(ids(made), [
    'process/hello-node/1',
    'runc/hello-go/1',
    'process/hello-go/1',
    'runc/hello-node/1',
    'process/hello-go/1',
    'runc/hello-go/1',
    'process/hello-node/1',
    'runc/hello-node/1',
  ]);
});

test('plan numbers the trials from one, with as many digits as the last needs', (t) => {
  const few = plan(experimentWith(), [], FUNCTIONS);
  t.is(few.trials[0]?.trialId, 't0001');
  t.is(few.trials.at(-1)?.trialId, 't0012');
  const many = plan(experimentWith({ repetitions: 2500 }), [], FUNCTIONS);
  t.is(many.trials[0]?.trialId, 't00001');
  t.is(many.trials.at(-1)?.trialId, 't10000');
  t.is(many.trials.at(-1)?.position, 9999);
});

test('plan leaves out what every value of an exclusion matches', (t) => {
  const made = plan(
    experimentWith({ exclude: [{ sandbox: 'runc', function: 'hello-node' }] }),
    [],
    FUNCTIONS,
  );
  t.is(made.cells.length, 3);
  t.false(ids(made).includes('runc/hello-node/1'));
  t.deepEqual(made.skipped, []);
});

test('plan refuses an experiment whose cells are all excluded', (t) => {
  const experiment = experimentWith({ exclude: [{ instances: 1 }] });
  const error = t.throws(() => plan(experiment, [], FUNCTIONS), { instanceOf: LockstepError });
  t.is(error.code, 'NO_CELL');
});

test('plan names every device, sandbox, reason and remedy when it refuses', (t) => {
  const devices = [
    deviceWithout('fit'),
    deviceWithout('old', ['runc']),
    { deviceId: 'silent', sandboxes: [] },
  ];
  const error = t.throws(() => plan(experimentWith(), devices, FUNCTIONS), {
    instanceOf: LockstepError,
  });
  t.is(error.code, 'SANDBOX_UNAVAILABLE');
  t.regex(error.message, /old, sandbox runc: TOOL_MISSING: runc is not installed/);
  t.regex(error.message, /silent, sandbox process: .*did not report/);
  t.notRegex(error.message, /fit,/);
  t.is(error.message.match(/old, sandbox runc/g)?.length, 1, 'once, not per function');
  t.regex(error.hint ?? '', /Install runc\.\n[^]*"unavailable: skip"/);
});

test('plan skips a cell on every device if one cannot run it, and says which', (t) => {
  const devices = [deviceWithout('fit'), deviceWithout('old', ['runc'])];
  const made = plan(experimentWith({ unavailable: 'skip' }), devices, FUNCTIONS);
  t.deepEqual(
    made.cells.map(({ id }) => id),
    ['process/hello-go/1', 'process/hello-node/1'],
  );
  t.deepEqual(
    made.skipped.map(({ cell, deviceId, failure }) => [cell.id, deviceId, failure.code]),
    [
      ['runc/hello-go/1', 'old', 'TOOL_MISSING'],
      ['runc/hello-node/1', 'old', 'TOOL_MISSING'],
    ],
  );
});

test('plan takes no function with several files into a microVM', (t) => {
  const factors = { sandbox: ['microvm'], function: ['hello-go', 'hello-node'] };
  const devices = [deviceWithout('fit')];
  const error = t.throws(() => plan(experimentWith({ factors }), devices, FUNCTIONS), {
    instanceOf: LockstepError,
  });
  t.is(error.code, 'IMAGE_INVALID');
  t.regex(error.message, /microvm with hello-node/);
  const made = plan(experimentWith({ factors, unavailable: 'skip' }), devices, FUNCTIONS);
  t.deepEqual(
    made.cells.map(({ id }) => id),
    ['microvm/hello-go/1'],
  );
  t.is(made.skipped[0]?.deviceId, undefined);
  t.is(made.skipped[0]?.failure.code, 'IMAGE_INVALID');
});

test('plan gives the reasons if nothing is left after skipping', (t) => {
  const devices = [deviceWithout('bare', ['process', 'runc'])];
  const error = t.throws(() => plan(experimentWith({ unavailable: 'skip' }), devices, FUNCTIONS), {
    instanceOf: LockstepError,
  });
  t.is(error.code, 'NO_CELL');
  t.regex(error.message, /bare, sandbox runc: TOOL_MISSING/);
});

test('plan names unknown functions and the one that was probably meant', (t) => {
  const factors = { sandbox: ['runc'], function: ['hello-og', 'hello-go', 'other'] };
  const error = t.throws(() => plan(experimentWith({ factors }), [], FUNCTIONS), {
    instanceOf: LockstepError,
  });
  t.is(error.code, 'NOT_FOUND');
  t.is(error.message, 'unknown functions hello-og, other');
  t.is(error.hint, 'Did you mean "hello-go"? Known: hello-go, hello-node.');
});

test('plan refuses more trials than its bound and says how many repetitions fit', (t) => {
  const repetitions = PLAN_TRIALS_MAX / 4;
  t.is(plan(experimentWith({ repetitions }), [], FUNCTIONS).trials.length, PLAN_TRIALS_MAX);
  const experiment = experimentWith({ repetitions: repetitions + 1 });
  const error = t.throws(() => plan(experiment, [], FUNCTIONS), { instanceOf: LockstepError });
  t.is(error.code, 'EXPERIMENT_INVALID');
  t.regex(error.hint ?? '', /at most 25000 repetitions/);
});

test('plan has room for as many cells as a message can carry', (t) => {
  const factors = {
    sandbox: SandboxName.options.slice(0, 4),
    function: Array.from({ length: 16 }, (_, index) => `f${index}`),
    instances: Array.from({ length: 16 }, (_, index) => index + 1),
  };
  const functions = factors.function.map((name) => ({
    name,
    staticBinary: true,
    form: 'program' as const,
  }));
  t.is(plan(experimentWith({ factors }), [], functions).cells.length, PLAN_CELLS_MAX);
});

const experiments = fc
  .record({
    sandbox: fc.subarray(SandboxName.options, { minLength: 1 }),
    function: fc.subarray(['hello-go', 'hello-node'], { minLength: 1 }),
    instances: fc.uniqueArray(fc.integer({ min: 1, max: 8 }), { minLength: 1, maxLength: 4 }),
    exclude: fc.array(
      fc.record({
        sandbox: fc.constantFrom(...SandboxName.options),
        instances: fc.integer({ min: 1, max: 8 }),
      }),
      { maxLength: 3 },
    ),
    repetitions: fc.integer({ min: 1, max: 6 }),
    seed: fc.integer({ min: 0, max: 0xffff_ffff }),
    order: fc.constantFrom('randomised-blocks', 'fixed'),
  })
  .map(({ sandbox, function: names, instances, ...rest }) =>
    experimentWith({
      factors: { sandbox, function: names, instances },
      unavailable: 'skip',
      ...rest,
    }),
  );

/** The plan of an experiment. Undefined if nothing is left to measure, which is no mistake here. */
function planOrNothing(experiment: Experiment): Plan | undefined {
  try {
    return plan(experiment, [deviceWithout('fit')], FUNCTIONS);
  } catch (error) {
    assert.ok(error instanceof LockstepError && error.code === 'NO_CELL', String(error));
    return undefined;
  }
}

test('plan holds each cell once in every block, and no excluded one', (t) => {
  fc.assert(
    fc.property(experiments, (experiment) => {
      const made = planOrNothing(experiment);
      if (made === undefined) return;
      const expected = made.cells.map(({ id }) => id).toSorted();
      for (let block = 0; block < experiment.repetitions; block += 1) {
        const trials: PlannedTrial[] = made.trials.filter(({ repetition }) => repetition === block);
        assert.deepEqual(trials.map(({ cell }) => cell.id).toSorted(), expected);
      }
      assert.equal(made.trials.length, expected.length * experiment.repetitions);
      for (const { cell } of made.trials) {
        for (const { sandbox, instances } of experiment.exclude) {
          assert.ok(sandbox !== cell.sandbox || instances !== cell.instances, cell.id);
        }
        assert.ok(cell.sandbox !== 'microvm' || cell.function === 'hello-go');
      }
    }),
  );
  t.pass();
});

test('plan gives every trial its own id and place, in order', (t) => {
  fc.assert(
    fc.property(experiments, (experiment) => {
      const trials = planOrNothing(experiment)?.trials ?? [];
      assert.deepEqual(
        trials.map(({ position }) => position),
        trials.map((_, index) => index),
      );
      const trialIds = trials.map(({ trialId }) => trialId);
      assert.equal(new Set(trialIds).size, trials.length);
      assert.deepEqual(trialIds.toSorted(), trialIds);
    }),
  );
  t.pass();
});

test('plan is the same for the same seed and keeps its beginning with more repetitions', (t) => {
  fc.assert(
    fc.property(experiments, (experiment) => {
      const made = planOrNothing(experiment);
      assert.deepEqual(planOrNothing(experiment), made);
      if (made === undefined) return;
      const longer = planOrNothing({ ...experiment, repetitions: experiment.repetitions + 2 });
      assert.deepEqual(longer?.trials.slice(0, made.trials.length), made.trials);
    }),
  );
  t.pass();
});

test('plan differs for another seed', (t) => {
  // 24 orders of 4 cells in each of 20 blocks: two seeds agree by chance once in 24^20.
  const orders = [1, 2, 3, 4].map((seed) =>
    ids(plan(experimentWith({ seed, repetitions: 20 }), [], FUNCTIONS)).join(),
  );
  t.is(new Set(orders).size, 4);
});

test('plan survives JSON and its schema unchanged', (t) => {
  fc.assert(
    fc.property(experiments, (experiment) => {
      const made = planOrNothing(experiment);
      if (made === undefined) return;
      assert.deepEqual(Plan.parse(JSON.parse(JSON.stringify(made))), made);
    }),
  );
  t.pass();
});
