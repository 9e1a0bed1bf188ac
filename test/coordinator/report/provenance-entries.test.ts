import test from 'ava';
import { importedRun } from '../../../coordinator/import/imported-run.ts';
import { readStudyCsv } from '../../../coordinator/import/study-csv.ts';
import { summarise } from '../../../coordinator/analysis/summary.ts';
import { methodSection } from '../../../coordinator/report/method-section.ts';
import { provenanceEntries } from '../../../coordinator/report/provenance-entries.ts';
import { makeRun } from '../../support/run-fixture.ts';
import { coldStartCsv } from '../../support/study-csv.ts';

test('the method of an imported run is its file, and claims nothing of devices or limits', (t) => {
  const digest = `sha256:${'0'.repeat(64)}`;
  const { run, plan, results } = importedRun(readStudyCsv(coldStartCsv({ seed: 1 }), 'a.csv'), {
    runId: 'import-a-20260101-000000-aaaa',
    atUtcMs: Date.UTC(2026, 0, 1),
    file: { fileName: 'a.csv', digest, sizeBytes: 10 },
  });
  const entries = new Map(provenanceEntries(run, plan));
  t.is(entries.get('Imported from'), `a.csv (study-cold-start), 10 bytes, ${digest}`);
  t.is(entries.get('Values'), '400, in s, in steps of 0.0001');
  t.is(entries.get('Order'), 'unknown: the source does not tell it');
  t.is(entries.get('Imported')?.slice(0, 20), '2026-01-01 00:00 UTC');
  const { markup } = methodSection(run, plan, summarise(run, plan, results));
  t.false(/for each sandbox|CLOCK_MONOTONIC|randomised complete/.test(markup));
  t.true(markup.includes('a.csv'));
});

test('an own run has no provenance to tell of', (t) => {
  const { run, plan } = makeRun();
  t.is(provenanceEntries(run, plan), undefined);
});
