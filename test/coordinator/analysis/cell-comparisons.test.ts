import test from 'ava';
import { compareSandboxes } from '../../../coordinator/analysis/cell-comparisons.ts';
import {
  comparisonCautions,
  comparisonSentence,
  pText,
  times,
} from '../../../coordinator/analysis/comparison-sentence.ts';
import type { CellSummary, RunSummary } from '../../../coordinator/analysis/run-summary.ts';
import { summarise } from '../../../coordinator/analysis/summary.ts';
import { makeRun } from '../../support/run-fixture.ts';
import type { RunFixtureOptions } from '../../support/run-fixture.ts';

function summaryOf(options: RunFixtureOptions = {}): RunSummary {
  const { run, plan, results } = makeRun(options);
  return summarise(run, plan, results);
}

/** A summary whose cells have these values, ms. */
function summaryWith(values: Readonly<Record<string, readonly number[]>>): RunSummary {
  const sandboxes = ['process', 'runc', 'gvisor'] as const;
  const summary = summaryOf({ sandboxes, functions: ['hello-go'], repetitions: 1 });
  return {
    ...summary,
    cells: summary.cells.map((cell) => {
      const own = values[cell.cell.sandbox] ?? [];
      const rest: { -readonly [K in keyof CellSummary]: CellSummary[K] } = { ...cell };
      delete rest.latency;
      const middle = own.toSorted((a, b) => a - b)[Math.floor(own.length / 2)];
      return {
        ...rest,
        ...(middle === undefined ? {} : { latency: { ...cell.latency!, medianNs: middle * 1e6 } }),
        units: own.map((valueMs, index) => ({
          trialId: `t${index}`,
          attempt: 1,
          host: 'host-1',
          devices: 1,
          valueNs: valueMs * 1e6,
        })),
      };
    }),
  };
}

const around = (centre: number): number[] =>
  Array.from({ length: 21 }, (_, index) => centre * (1 + 0.01 * (index - 10)));

test('compareSandboxes compares each sandbox with the first of the experiment', (t) => {
  const groups = compareSandboxes(summaryOf());
  t.deepEqual(
    groups.map((group) => [group.function, group.baseline, group.fastest]),
    [
      ['hello-go', 'process', 'process'],
      ['hello-node', 'process', 'process'],
    ],
  );
  t.deepEqual(
    groups[0]?.comparisons.map(({ sandbox, n, hosts }) => [sandbox, n, hosts]),
    [
      ['runc', [10, 10], 1],
      ['gvisor', [10, 10], 1],
      ['microvm', [10, 10], 1],
    ],
  );
  for (const { ratio, effect, pAdjusted } of groups.flatMap((group) => group.comparisons)) {
    t.true(ratio!.interval!.lower < ratio!.ratio && ratio!.ratio < ratio!.interval!.upper);
    t.is(effect?.a12, 1);
    t.true(pAdjusted! < 0.001);
  }
});

test('compareSandboxes tells ratio, A12 and p of values that are known', (t) => {
  const [group] = compareSandboxes(
    summaryWith({ process: around(10), runc: around(41), gvisor: around(10) }),
  );
  const [runc, gvisor] = group!.comparisons;
  t.true(Math.abs(runc!.ratio!.ratio - 4.1) < 1e-9);
  t.is(runc!.effect!.a12, 1);
  t.true(Math.abs(gvisor!.ratio!.ratio - 1) < 1e-9);
  t.true(Math.abs(gvisor!.effect!.a12 - 0.5) < 1e-9);
  t.is(gvisor!.pAdjusted, 1);
});

test('compareSandboxes corrects p over all comparisons of the run', (t) => {
  const shifted = around(10).map((value) => value * 1.04);
  const few = summaryWith({ process: around(10), runc: shifted });
  const more = summaryWith({ process: around(10), runc: shifted, gvisor: shifted });
  const pOf = (summary: RunSummary): number =>
    compareSandboxes(summary)[0]!.comparisons[0]!.pAdjusted!;
  t.true(Math.abs(pOf(more) / pOf(few) - 2) < 1e-9);
});

test('compareSandboxes takes the next sandbox where the first has no value, and says so', (t) => {
  const groups = compareSandboxes(summaryWith({ runc: around(10), gvisor: around(30) }));
  t.is(groups[0]?.baseline, 'runc');
  t.is(groups[0]?.unmeasuredBaseline, 'process');
  t.deepEqual(
    groups[0]?.comparisons.map(({ sandbox }) => sandbox),
    ['process', 'gvisor'],
  );
  t.is(
    comparisonSentence(groups[0]!.comparisons[0]!),
    "process can't be compared: it has no valid value.",
  );
  t.true(comparisonCautions(groups).some((caution) => caution.startsWith('Where process')));
});

test('compareSandboxes has nothing to say of a no-op, and of a run without values', (t) => {
  t.deepEqual(compareSandboxes(summaryOf({ kind: 'no-op', repetitions: 2 })), []);
  const groups = compareSandboxes(summaryOf({ trialsDone: 0 }));
  t.true(groups.every(({ baseline, comparisons }) => baseline === undefined && !comparisons[0]));
  t.deepEqual(comparisonCautions(groups), []);
});

test('comparisonSentence says how many times as long, with interval, chance and basis', (t) => {
  const [group] = compareSandboxes(
    summaryWith({ process: around(10), runc: around(41), gvisor: around(10) }),
  );
  const [runc, gvisor] = group!.comparisons.map(comparisonSentence);
  t.regex(
    runc!,
    new RegExp(
      '^runc takes 4\\.10 times \\[[34]\\.\\d+, 4\\.\\d+\\] as long as process ' +
        '\\(41\\.0 against 10\\.0 ms\\); a difference this large by chance: p < 0\\.001; ' +
        'n = 21 and 21 trials on 1 host\\.$',
    ),
  );
  t.regex(
    gvisor!,
    /^gvisor and process can't be told apart by their medians .* holds 1; .* p = 1; n = 21 and 21/,
  );
});

test('comparisonSentence gives no answer where values are too few for an interval', (t) => {
  const [group] = compareSandboxes(summaryWith({ process: [1, 2, 3], runc: [4, 5, 6] }));
  const sentence = comparisonSentence(group!.comparisons[0]!);
  t.regex(sentence, /^runc took 2\.50 times as long as process .*, which is no answer yet: no int/);
  t.notRegex(sentence, /chance/);
});

test('comparisonCautions say that one host stands for itself, and that few hosts do little', (t) => {
  const one = comparisonCautions(compareSandboxes(summaryOf()));
  t.true(one.some((caution) => /one host/.test(caution)));
  const few = comparisonCautions(compareSandboxes(summaryOf({ agentsPerHost: [1, 1, 1] })));
  t.true(few.some((caution) => /only 3 hosts/.test(caution)));
  const many = compareSandboxes(summaryOf({ agentsPerHost: [1, 1, 1, 1, 1, 1], repetitions: 4 }));
  t.deepEqual(comparisonCautions(many), []);
});

test('pText and times write figures for people', (t) => {
  t.deepEqual([0, 0.0004, 0.012, 0.6, 1].map(pText), ['< 0.001', '< 0.001', '0.012', '0.60', '1']);
  t.deepEqual([0.0123, 0.5, 1.444, 21.94, 297.6].map(times), [
    '0.012',
    '0.50',
    '1.44',
    '21.9',
    '298',
  ]);
});
