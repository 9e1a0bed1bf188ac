import test from 'ava';
import { churn } from '../../../agent/procedures/churn.ts';
import { density } from '../../../agent/procedures/density.ts';
import { countsOfSteps, idleMemory } from '../../../agent/procedures/idle-memory.ts';
import type { ProcedureOutcome } from '../../../agent/procedures/procedure.ts';
import { TrialResult } from '../../../schemas/result.ts';
import { openLoopbackStage } from './loopback-stage.ts';

const MIB = 1024 * 1024;

function valuesOf({ measurements = [] }: ProcedureOutcome, name: string): number[] {
  return measurements.filter(({ measure }) => measure === name).map(({ value }) => value);
}

test('countsOfSteps divides into equal steps, none of them empty', (t) => {
  t.deepEqual(countsOfSteps(10, 5), [2, 2, 2, 2, 2]);
  t.deepEqual(countsOfSteps(7, 3), [2, 2, 3]);
  t.deepEqual(countsOfSteps(2, 5), [1, 1]);
  t.deepEqual(countsOfSteps(1, 1), [1]);
});

test('idle-memory sums what the cgroups hold, and keeps it when a later step fails', async (t) => {
  const stage = await openLoopbackStage(t);
  stage.usage = (sandbox) => ({ memoryBytes: (sandbox + 1) * MIB });
  stage.broken.add(3);
  const parameters = { steps: 4, settleMs: 1 };
  const outcome = await stage.run(idleMemory, 4, parameters);
  t.deepEqual(valuesOf(outcome, 'memory.cgroup'), [MIB, 3 * MIB, 6 * MIB]);
  const [slope] = valuesOf(outcome, 'memory.per_sandbox');
  t.is(slope, 2.5 * MIB);
  t.deepEqual(
    outcome.instances.map(({ index, failure }) => [index, failure?.code]),
    [
      [0, undefined],
      [1, undefined],
      [2, undefined],
      [3, 'FUNCTION_CRASHED'],
    ],
  );
  // Only those of the first step could be sampled.
  t.deepEqual(
    outcome.finals.map(({ instance }) => instance),
    [0],
  );
  t.is(stage.removed, 4);
  t.is(stage.released, 4);
});

test('idle-memory tells what it could not measure instead of a zero', async (t) => {
  const stage = await openLoopbackStage(t);
  stage.usage = () => ({ unavailable: 'no memory controller' });
  const outcome = await stage.run(idleMemory, 1, { steps: 1, settleMs: 0 });
  t.deepEqual(valuesOf(outcome, 'memory.cgroup'), []);
  t.is(outcome.conditions?.['memory-cgroup'], 'no memory controller');
  t.regex(outcome.conditions?.['memory-per-sandbox'] ?? '', /two steps/);
  t.is(valuesOf(outcome, 'memory.pss').length, 1);
});

test('idle-memory fails, and keeps what it read, if a sandbox can not be created', async (t) => {
  const stage = await openLoopbackStage(t);
  stage.usage = () => ({ memoryBytes: MIB });
  stage.unborn.add(1);
  const outcome = await stage.run(idleMemory, 2, { steps: 2, settleMs: 0 });
  t.deepEqual(valuesOf(outcome, 'memory.cgroup'), [MIB]);
  t.deepEqual(
    outcome.instances.map(({ failure }) => failure?.code),
    [undefined, 'SANDBOX_FAILED'],
  );
});

test('density counts those that were well at once; the one that failed is a finding', async (t) => {
  const stage = await openLoopbackStage(t);
  stage.broken.add(3);
  const outcome = await stage.run(density, 8, { stopAtMemoryAvailableMib: 64 });
  t.deepEqual(valuesOf(outcome, 'density.sandboxes'), [3]);
  t.is(stage.created, 4);
  t.deepEqual(
    outcome.instances.map(({ status }) => status),
    ['ok', 'ok', 'ok'],
  );
  t.is(outcome.conditions?.['density-stopped'], 'a sandbox failed');
  t.regex(
    outcome.conditions?.['density-failure'] ?? '',
    /^sandbox 3 after spawn: FUNCTION_CRASHED/,
  );
  t.is(outcome.conditions?.['density-log'], 'log of 3');
  t.is(stage.removed, 4);
  t.is(stage.released, 8);
});

test('density tells a sandbox that could not be created', async (t) => {
  const stage = await openLoopbackStage(t);
  stage.unborn.add(2);
  const outcome = await stage.run(density, 8, { stopAtMemoryAvailableMib: 64 });
  t.deepEqual(valuesOf(outcome, 'density.sandboxes'), [2]);
  t.regex(outcome.conditions?.['density-failure'] ?? '', /^sandbox 2 after creation: SANDBOX_FAIL/);
});

test('density does not count one that ended when others were added', async (t) => {
  const stage = await openLoopbackStage(t);
  stage.answer = (_path, sandbox) => {
    if (sandbox === 2) stage.end(0);
    return {};
  };
  const outcome = await stage.run(density, 8, { stopAtMemoryAvailableMib: 64 });
  t.deepEqual(valuesOf(outcome, 'density.sandboxes'), [2]);
  t.deepEqual(
    outcome.instances.map(({ index }) => index),
    [1, 2],
  );
});

test('churn counts failures by cycle and goes on', async (t) => {
  const stage = await openLoopbackStage(t);
  // Cycle 2 is of the sandboxes 2 and 3, cycle 3 ends with the creation of one of 4 and 5.
  stage.broken.add(3);
  stage.unborn.add(4);
  const outcome = await stage.run(churn, 2, { cycles: 5 });
  t.deepEqual(valuesOf(outcome, 'churn.failures'), [0, 1, 2, 0, 0]);
  const durations = outcome.measurements?.filter(
    ({ measure }) => measure === 'churn.cycle_duration',
  );
  t.deepEqual(
    durations?.map(({ labels }) => labels?.cycle),
    ['1', '4', '5'],
  );
  t.is(outcome.conditions?.['failures-FUNCTION_CRASHED'], '1 in all; in cycles: 2');
  t.is(outcome.conditions?.['failures-SANDBOX_FAILED'], '2 in all; in cycles: 3');
  t.deepEqual(
    outcome.instances.map(({ index }) => index),
    Array.from({ length: 10 }, (_, index) => index),
  );
  t.deepEqual(
    outcome.finals.map(({ instance }) => instance),
    [0, 1],
  );
  t.is(stage.released, 2);
});

test('churn keeps within the bounds of a result, and the failed ones above all', async (t) => {
  const stage = await openLoopbackStage(t);
  for (let number = 300; number < 340; number += 1) stage.broken.add(number);
  const outcome = await stage.run(churn, 1, { cycles: 400 });
  t.is(
    valuesOf(outcome, 'churn.failures').reduce((sum, value) => sum + value),
    40,
  );
  t.is(outcome.conditions?.['instances-kept'], '288 of 400 sandboxes');
  t.is(outcome.instances.filter(({ status }) => status === 'failed').length, 32);
  t.notThrows(() => TrialResult.shape.instances.parse(encoded(outcome)));
});

function encoded({ instances }: ProcedureOutcome): unknown {
  return TrialResult.shape.instances.encode(instances);
}
