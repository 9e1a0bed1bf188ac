import test from 'ava';
import { summarise } from '../../../coordinator/analysis/summary.ts';
import { readHyperfine } from '../../../coordinator/import/hyperfine.ts';
import { importedRun } from '../../../coordinator/import/imported-run.ts';
import type { ImportedRun } from '../../../coordinator/import/imported-run.ts';
import { readStudyCsv } from '../../../coordinator/import/study-csv.ts';
import type { Draft } from '../../../coordinator/import/draft.ts';
import { Plan } from '../../../schemas/plan.ts';
import { TrialResult } from '../../../schemas/result.ts';
import { Run } from '../../../schemas/run.ts';
import { coldStartCsv, coldStartLines } from '../../support/study-csv.ts';

const FILE = { fileName: 'a.csv', digest: `sha256:${'0'.repeat(64)}`, sizeBytes: 10 };

const runOf = (draft: Draft): ImportedRun =>
  importedRun(draft, { runId: 'import-a-20260101-000000-aaaa', atUtcMs: 1e12, file: FILE });
const ofLines = (header: string, ...lines: readonly string[]): ImportedRun =>
  runOf(readStudyCsv([header, ...lines, ''].join('\n'), 'unzip.csv'));

test('an imported run fits the schemas of own runs, with sandboxes that have no driver', (t) => {
  const { run, plan, results } = runOf(readStudyCsv(coldStartCsv({ seed: 1 }), 'a.csv'));
  t.deepEqual(Run.parse(JSON.parse(JSON.stringify(Run.encode(run)))), run);
  t.deepEqual(Plan.parse(JSON.parse(JSON.stringify(Plan.encode(plan)))), plan);
  for (const result of results) {
    t.deepEqual(TrialResult.parse(JSON.parse(JSON.stringify(TrialResult.encode(result)))), result);
  }
  t.true(run.experiment.factors.sandbox.includes('nanos'));
});

test('a result has the stamps of its source, and no clock, start, device or digest', (t) => {
  const { run, results } = ofLines('target,language,time', 'osv,go,0.3364');
  const [result] = results;
  t.deepEqual(run.devices, []);
  t.is(result?.reportedBy, 'import');
  t.deepEqual(result?.instances, [
    { index: 0, address: '', status: 'ok', phases: { request: 0n, firstByte: 336_400_000n } },
  ]);
  for (const field of ['clock', 'start', 'functionDigest'] as const) {
    t.is(result?.[field], undefined);
  }
});

test('where the order is unknown, no value has a position and no note speaks of drift', (t) => {
  const rising = coldStartLines({ seed: 1 })
    .map((line) => line.split(','))
    .toSorted((a, b) => Number(a[2]) - Number(b[2]))
    .map((fields) => fields.join());
  const { run, plan, results } = ofLines('target,language,time', ...rising);
  const summary = summarise(run, plan, results);
  t.is(plan.order, 'unknown');
  t.true(summary.cells.every(({ units }) => units.every((unit) => unit.position === undefined)));
  t.deepEqual(
    summary.notes.map(({ code }) => code).filter((code) => ['drift', 'fixed-order'].includes(code)),
    [],
  );
});

test('the figures of a cell are those of its rows', (t) => {
  const { run, plan, results } = ofLines('target,time', 'osv,0.1', 'osv,0.4', 'osv,0.25');
  const [cell] = summarise(run, plan, results).cells;
  t.is(cell?.latency?.n, 3);
  t.is(cell?.latency?.medianNs, 250_000_000);
  t.is(cell?.latency?.meanNs, 250_000_000);
  t.is(cell?.latency?.maxNs, 400_000_000);
});

test('the rows of a batch are the sandboxes of one trial; its makespan is the longest', (t) => {
  const header = 'target,language,instances,time';
  const rows = ['osv,go,2,0.5', 'osv,go,2,0.7', 'osv,go,3,0.4', 'osv,go,3,0.9', 'osv,go,3,0.8'];
  const { run, plan, results } = ofLines(header, ...rows);
  t.is(results.length, 2);
  const cells = summarise(run, plan, results).cells;
  t.deepEqual(
    cells.map(({ cell, latency, instanceMedianNs }) => [
      cell.instances,
      latency?.medianNs,
      instanceMedianNs,
    ]),
    [
      [2, 700_000_000, 600_000_000],
      [3, 900_000_000, 800_000_000],
    ],
  );
});

test('of a whole batch only the makespan is known, and no time of a sandbox', (t) => {
  const header = 'target,language,instances,time';
  const rows = [2, 3].flatMap((size) => ['0.5', '0.6'].map((time) => `runc,go,${size},${time}`));
  const { run, plan, results } = ofLines(header, ...rows);
  t.is(results.length, 4);
  const [cell] = summarise(run, plan, results).cells;
  t.is(cell?.latency?.maxNs, 600_000_000);
  t.is(cell?.instanceMedianNs, undefined);
  t.deepEqual(cell?.spans, []);
});

test('typed zeros have no latency, and 0 appears nowhere', (t) => {
  const rows = Array.from({ length: 10 }, (_, index) => `osv,0.1${index}37`);
  const { run, plan, results } = ofLines('target,time', ...rows, ...rows.map(() => 'runc,0'));
  const zeros = summarise(run, plan, results).cells.find(({ cell }) => cell.sandbox === 'runc');
  t.is(zeros?.latency, undefined);
  t.is(zeros?.unmeasured, 10);
});

test('duplicated rows are kept as invalid, and reduce n', (t) => {
  const lines = coldStartLines({ seed: 1, rowsPerCell: 50 });
  const { run, plan, results } = ofLines('target,language,time', ...lines, ...lines);
  t.is(results.length, 400);
  for (const { latency, invalid } of summarise(run, plan, results).cells) {
    t.is(latency?.n, 50);
    t.is(invalid, 50);
  }
});

test('a command that failed is a failed result without latency', (t) => {
  const results = [{ command: 'a', times: [1, 2, 3], exit_codes: [0, 1, 0] }];
  const imported = runOf(readHyperfine(JSON.stringify({ results }), 'a.json'));
  const [cell] = summarise(imported.run, imported.plan, imported.results).cells;
  t.is(cell?.failures, 1);
  t.is(cell?.failureRate, 1 / 3);
  t.is(cell?.latency?.n, 2);
});

test('where a source has no place for failures, there is no failure rate', (t) => {
  const { run, plan, results } = ofLines('target,time', 'osv,0.1', 'osv,0.2');
  const [cell] = summarise(run, plan, results).cells;
  t.is(cell?.attempts, 2);
  t.is(cell?.failureRate, undefined);
  t.is(cell?.failureInterval, undefined);
});

test('the provenance says what a value is, its step, and what the file cannot support', (t) => {
  const { run } = runOf(readStudyCsv(coldStartCsv({ seed: 1 }), 'a.csv'));
  const { provenance } = run;
  t.is(provenance?.resolution, 0.0001);
  t.is(provenance?.rows, 400);
  t.regex(provenance?.value ?? '', /through the gateway/);
  t.deepEqual(
    provenance?.limitations.map(({ code }) => code),
    ['end-point', 'one-host', 'no-failures', 'order-lost'],
  );
});
