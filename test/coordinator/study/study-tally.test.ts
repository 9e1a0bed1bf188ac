import test from 'ava';
import { trialsInOrder } from '../../../coordinator/analysis/measured-result.ts';
import type { QuantityName } from '../../../coordinator/study/quantities.ts';
import type { StudyCell } from '../../../coordinator/study/study-cell.ts';
import { StudyTally } from '../../../coordinator/study/study-tally.ts';
import type { Measurement } from '../../../schemas/measurement.ts';
import { makeRun } from '../../support/run-fixture.ts';
import type { RunFixtureOptions } from '../../support/run-fixture.ts';

function cellsOf(
  options: RunFixtureOptions,
  quantities: readonly QuantityName[],
  measurementsOf?: (trial: number) => Measurement[],
): StudyCell[] {
  const { run, plan, results } = makeRun({
    ...{ functions: ['hello-go'], repetitions: 5, agentsPerHost: [1] },
    ...options,
  });
  const tally = new StudyTally(run, plan, quantities);
  for (const [trial, own] of trialsInOrder(results, plan).entries()) {
    const measurements = measurementsOf?.(trial);
    tally.add(
      measurements === undefined ? own : own.map((result) => ({ ...result, measurements })),
    );
  }
  return tally.cells();
}

const valuesOf = (cell: StudyCell | undefined, name: QuantityName): (number | undefined)[] =>
  cell?.values[name]?.map(({ valueNs }) => valueNs) ?? [];

test('a cell has a value per trial and host, and says what it ran on', (t) => {
  const cells = cellsOf({ sandboxes: ['runc', 'microvm'], agentsPerHost: [2] }, ['latency']);
  t.deepEqual(
    cells.map(({ status }) => status),
    ['filled', 'filled'],
  );
  t.is(valuesOf(cells[0], 'latency').length, 5);
  t.is(cells[0]?.attempts, 10);
  t.regex(cells[1]?.setUp ?? '', /accelerator tcg/);
});

test('a cell that every trial failed in says the class, one that was skipped the reason', (t) => {
  const failed = cellsOf({ sandboxes: ['runc'], failureRate: 1 }, ['latency']);
  t.is(failed[0]?.status, 'failed');
  t.regex(failed[0]?.reason ?? '', /^FUNCTION_CRASHED \(5×\): the function ended/);
  const invalid = cellsOf({ sandboxes: ['runc'], invalidRate: 1 }, ['latency']);
  t.is(invalid[0]?.status, 'failed');
  t.regex(invalid[0]?.reason ?? '', /^invalid, late-start \(5×\): started/);
  const skipped = cellsOf({ sandboxes: ['runc', 'gvisor'], skipped: 'gvisor' }, ['latency']);
  t.deepEqual(
    skipped.map(({ cell, status }) => [cell.sandbox, status]),
    [
      ['runc', 'filled'],
      ['gvisor', 'unavailable'],
    ],
  );
  t.regex(skipped[1]?.reason ?? '', /^TOOL_MISSING on agent-1: /);
});

test('a cell whose trials were never begun is no filled one', (t) => {
  const options = { sandboxes: ['runc'], trialsDone: 0 } as const;
  t.is(cellsOf({ ...options, state: 'running' }, ['latency'])[0]?.status, 'not-run');
  const [stopped] = cellsOf({ ...options, state: 'interrupted' }, ['latency']);
  t.is(stopped?.status, 'failed');
  t.regex(stopped?.reason ?? '', /^COORDINATOR_STOPPED/);
});

test('a run that worked without what is compared says so', (t) => {
  const [cell] = cellsOf({ sandboxes: ['runc'], kind: 'idle-cpu' }, ['instructions']);
  t.is(cell?.status, 'failed');
  t.regex(cell?.reason ?? '', /^unmeasured/);
});

const load = (connections: number, failures: number): Measurement => ({
  measure: 'load.failures',
  value: failures,
  labels: { connections: String(connections) },
});

test('the limit of connections is the last load before a failure', (t) => {
  const limit = (measurements: Measurement[]): (number | undefined)[] =>
    valuesOf(
      cellsOf(
        { sandboxes: ['runc'], kind: 'throughput', repetitions: 1 },
        ['connection limit'],
        () => measurements,
      )[0],
      'connection limit',
    );
  t.deepEqual(limit([load(64, 0), load(256, 3), load(128, 0)]), [128]);
  t.deepEqual(limit([load(1, 1)]), [0]);
  t.deepEqual(limit([load(1, 0), load(4096, 0)]), [4096]);
  t.deepEqual(limit([]), []);
});

test('calls and sources are told apart by their labels', (t) => {
  const call = (number: number, value: number): Measurement => ({
    ...{ measure: 'call.duration', value, instance: 0, labels: { call: String(number) } },
  });
  const slope = (source: string, value: number): Measurement => ({
    ...{ measure: 'memory.per_sandbox', value, labels: { source } },
  });
  const [cell] = cellsOf(
    { sandboxes: ['runc'], kind: 'compute', repetitions: 2 },
    ['first call', 'later calls', 'available'],
    (trial) => [
      call(1, 100 + trial),
      call(2, 10),
      call(3, 20),
      slope('pss', 7),
      slope('available', 5),
    ],
  );
  t.deepEqual(valuesOf(cell, 'first call'), [100, 101]);
  t.deepEqual(valuesOf(cell, 'later calls'), [15, 15]);
  t.deepEqual(valuesOf(cell, 'available'), [5, 5]);
});
