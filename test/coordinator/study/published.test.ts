import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { summarise } from '../../../coordinator/analysis/summary.ts';
import type { RunSummary } from '../../../coordinator/analysis/run-summary.ts';
import { importedRun } from '../../../coordinator/import/imported-run.ts';
import { readStudyCsv } from '../../../coordinator/import/study-csv.ts';
import { ratioOf } from '../../../coordinator/study/measured-suite.ts';
import { publishedFigure, publishedKeys } from '../../../coordinator/study/published.ts';
import type { PublishedKey } from '../../../coordinator/study/published.ts';
import { STUDY_EXPERIMENTS } from '../../../coordinator/study/suite.ts';
import { TWELVE_CLAIMS } from '../../../coordinator/study/twelve-claims.ts';

const FOLDER = process.env['LOCKSTEP_STUDY_DATA'] ?? '';

/** The figures of a file of the study; undefined if it is not here, which skips the test. */
async function summaryOf(t: ExecutionContext, fileName: string): Promise<RunSummary | undefined> {
  if (FOLDER === '' || !existsSync(join(FOLDER, fileName))) {
    t.log(`skipped: no ${fileName}; LOCKSTEP_STUDY_DATA names the folder of the study's files`);
    t.pass();
    return undefined;
  }
  const draft = readStudyCsv(await readFile(join(FOLDER, fileName), 'utf8'), fileName);
  const { run, plan, results } = importedRun(draft, {
    runId: 'import-study-20260101-000000-aaaa',
    atUtcMs: 1e12,
    file: { fileName, digest: `sha256:${'0'.repeat(64)}`, sizeBytes: 1 },
  });
  return summarise(run, plan, results);
}

const keysOf = (experiment: string): PublishedKey[] =>
  publishedKeys().filter((key) => key.experiment === experiment);

function isNear(t: ExecutionContext, actual: number, expected: number, share: number): void {
  t.true(Math.abs(actual / expected - 1) <= share, `${actual}, not ${expected}`);
}

test('every published figure belongs to an experiment and a quantity of the suite', (t) => {
  for (const key of publishedKeys()) {
    const found = STUDY_EXPERIMENTS.find(({ name }) => name === key.experiment);
    t.true(found?.quantities.includes(key.quantity) ?? false, JSON.stringify(key));
    const figure = publishedFigure(key);
    t.true((figure?.value ?? figure?.ratio ?? 0) > 0, JSON.stringify(key));
    t.true((figure?.source ?? '').length > 5);
  }
});

test('the published ratios of cold starts come out of the published values', async (t) => {
  const summary = await summaryOf(t, 'cold-start.csv');
  if (summary === undefined) return;
  for (const key of keysOf('cold-start')) {
    const units = (sandbox: string) =>
      summary.cells.find(
        ({ cell }) => cell.sandbox === sandbox && cell.function === `hello-${key.language}`,
      )?.units ?? [];
    const ours = ratioOf(units(key.target), units('linux'));
    const figure = publishedFigure(key);
    isNear(t, ours?.ratio ?? 0, figure?.ratio ?? Number.NaN, 0.005);
    isNear(t, ours?.interval?.lower ?? 0, figure?.interval?.[0] ?? Number.NaN, 0.02);
    isNear(t, ours?.interval?.upper ?? 0, figure?.interval?.[1] ?? Number.NaN, 0.02);
  }
});

test('the published slopes of memory come out of the published values', async (t) => {
  const summary = await summaryOf(t, 'memory.csv');
  if (summary === undefined) return;
  for (const key of keysOf('idle-memory')) {
    const slope = summary.memory?.find(
      (one) => one.sandbox === key.target && one.function === `hello-${key.language}`,
    );
    isNear(t, slope?.leastSquaresBytes ?? 0, publishedFigure(key)?.value ?? Number.NaN, 0.005);
  }
});

test('the published medians of fib come out of the published values', async (t) => {
  const summary = await summaryOf(t, 'fib.csv');
  if (summary === undefined) return;
  for (const key of keysOf('cpu-fib')) {
    const name = key.quantity === 'first call' ? 'fib-first' : 'fib-second';
    const found = summary.cells.find(
      ({ cell }) => cell.sandbox === key.target && cell.function === name,
    );
    const published = publishedFigure(key)?.value ?? Number.NaN;
    isNear(t, found?.latency?.medianNs ?? 0, published, 0.0005);
  }
});

test('claims about ratios say what the table of figures says', (t) => {
  let compared = 0;
  for (const { id, parts } of TWELVE_CLAIMS) {
    for (const part of parts) {
      if (part.kind !== 'ratio' || part.numerator === 'docker') continue;
      const figures = [part.numerator, part.denominator].map((target) =>
        publishedFigure({ ...part.asked, target }),
      );
      const [upper, lower] = figures.map((figure) => figure?.ratio ?? 1);
      isNear(t, (upper ?? 1) / (lower ?? 1), part.published, 0.02);
      compared += 1;
      t.truthy(figures[0] ?? figures[1], id);
    }
  }
  t.is(compared, 13);
});
