import test from 'ava';
import { orderClauses, orderStatement } from '../../../coordinator/analysis/order-statement.ts';
import type {
  CellSummary,
  Interval,
  RunSummary,
} from '../../../coordinator/analysis/run-summary.ts';
import { summarise } from '../../../coordinator/analysis/summary.ts';
import type { SandboxName } from '../../../schemas/sandbox.ts';
import { makeRun } from '../../support/run-fixture.ts';

type Figure =
  readonly [SandboxName, number] | readonly [SandboxName, number, readonly [number, number]];

function summaryWith(medians: readonly Figure[]): RunSummary {
  const { run, plan, results } = makeRun({ functions: ['hello-go'], repetitions: 1 });
  const summary = summarise(run, plan, results);
  const cells = medians.map(([sandbox, medianMs, bounds]): CellSummary => {
    const medianNs = medianMs * 1e6;
    const interval: Interval | undefined =
      bounds === undefined
        ? undefined
        : { lower: bounds[0] * 1e6, upper: bounds[1] * 1e6, coverage: 0.96 };
    return {
      ...summary.cells[0]!,
      cell: { ...summary.cells[0]!.cell, sandbox },
      latency: {
        n: 10,
        minNs: medianNs,
        meanNs: medianNs,
        medianNs,
        p95Ns: medianNs,
        maxNs: medianNs,
        ...(interval === undefined ? {} : { medianInterval: interval }),
      },
    };
  });
  return { ...summary, cells };
}

test('orderStatement names the fastest, the next, their ratio, and that they are apart', (t) => {
  const summary = summaryWith([
    ['gvisor', 150, [140, 160]],
    ['process', 10, [9, 11]],
    ['runc', 40, [38, 45]],
  ]);
  t.is(
    orderStatement(summary),
    'With hello-go, process was fastest, median 10.0 ms [9.00, 11.0]; runc came next with ' +
      '40.0 ms [38.0, 45.0], 4.00 times as long: the intervals do not overlap.',
  );
});

test('orderStatement calls cells whose intervals overlap not separable', (t) => {
  const statement = orderStatement(
    summaryWith([
      ['process', 10, [9, 12]],
      ['runc', 11, [12, 14]],
    ]),
  );
  t.regex(statement, /the intervals overlap, so the two are not separable\.$/);
});

test('orderStatement does not judge without intervals', (t) => {
  const statement = orderStatement(
    summaryWith([
      ['process', 10],
      ['runc', 90, [80, 99]],
    ]),
  );
  t.regex(statement, /too few values to say/);
});

test('orderStatement of one sandbox or of none says so', (t) => {
  t.regex(orderStatement(summaryWith([['runc', 40, [38, 45]]])), /runc is the only one measured/);
  t.is(orderStatement(summaryWith([])), 'No cell gave a valid latency, so there is no answer.');
});

test('orderStatement compares sandboxes within one function and number at once', (t) => {
  const { run, plan, results } = makeRun({ instances: [2, 4], sandboxes: ['process', 'runc'] });
  const summary = summarise(run, plan, results);
  t.is(orderClauses(summary).length, 4);
  t.regex(orderStatement(summary), /; with hello-go and 4 at once, process was fastest/);
});

test('orderClauses gives a no-op no order, because its cells differ in name only', (t) => {
  const { run, plan, results } = makeRun({
    kind: 'no-op',
    sandboxes: ['process', 'runc'],
    functions: ['hello-go'],
  });
  const clauses = orderClauses(summarise(run, plan, results));
  t.is(clauses.length, 2);
  t.regex(
    clauses[0] ?? '',
    /^Nothing but the start was done; in process\/hello-go\/1 it came late/,
  );
  t.notRegex(clauses.join(), /fastest/);
});

test('orderClauses says that the time of a warm call is that of the call', (t) => {
  const { run, plan, results } = makeRun({ kind: 'warm-call', sandboxes: ['process'] });
  t.regex(orderClauses(summarise(run, plan, results))[0] ?? '', /: median call [\d.]+ ms/);
});
