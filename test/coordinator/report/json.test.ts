import test from 'ava';
import { JSON_SCHEMA_VERSION, renderJson } from '../../../coordinator/report/json.ts';
import { summarise } from '../../../coordinator/analysis/summary.ts';
import { Run } from '../../../schemas/run.ts';
import { makeRun } from '../../support/run-fixture.ts';

test('renderJson has its version, the answer, the run as it was, and the summary', (t) => {
  const { run, plan, results } = makeRun({ failureRate: 0.1 });
  const summary = summarise(run, plan, results);
  const text = renderJson(run, plan, results, summary);
  const document = JSON.parse(text) as Record<string, unknown>;
  t.is(document['schemaVersion'], JSON_SCHEMA_VERSION);
  t.regex(document['answer'] as string, /process was fastest/);
  t.deepEqual(Run.parse(document['run']), run);
  t.deepEqual(document['summary'], JSON.parse(JSON.stringify(summary)));
  t.true(text.endsWith('}\n'));
});

test('renderJson has one entry per result; a failed one has a code and no latency', (t) => {
  const { run, plan, results } = makeRun({ failureRate: 0.3, repetitions: 4 });
  const summary = summarise(run, plan, results);
  const { results: entries } = JSON.parse(renderJson(run, plan, results, summary)) as {
    results: Record<string, unknown>[];
  };
  t.is(entries.length, results.length);
  const failed = entries.filter(({ outcome }) => outcome === 'failed');
  t.true(failed.length > 0);
  for (const entry of failed) {
    t.is(entry['failureCode'], 'FUNCTION_CRASHED');
    t.false('latencyNs' in entry);
  }
});
