import test from 'ava';
import { recordedTrials } from '../../../coordinator/analysis/recorded-trials.ts';
import { JSON_SCHEMA_VERSION, jsonDocument } from '../../../coordinator/report/json.ts';
import { summarise } from '../../../coordinator/analysis/summary.ts';
import { Run } from '../../../schemas/run.ts';
import { collected } from '../../support/collected.ts';
import { makeRun } from '../../support/run-fixture.ts';
import type { RunFixture } from '../../support/run-fixture.ts';

async function jsonOf({ run, plan, results }: RunFixture): Promise<string> {
  const summary = summarise(run, plan, results);
  const trials = recordedTrials(run, plan, results);
  return collected(jsonDocument(run, plan, trials, summary));
}

test('jsonDocument has its version, the answer, the run as it was, and the summary', async (t) => {
  const fixture = makeRun({ failureRate: 0.1 });
  const { run, plan, results } = fixture;
  const summary = summarise(run, plan, results);
  const text = await jsonOf(fixture);
  const document = JSON.parse(text) as Record<string, unknown>;
  t.is(document['schemaVersion'], JSON_SCHEMA_VERSION);
  t.regex(document['answer'] as string, /process was fastest/);
  t.deepEqual(Run.parse(document['run']), run);
  t.deepEqual(document['summary'], JSON.parse(JSON.stringify(summary)));
  t.true(text.endsWith('}\n'));
});

test('jsonDocument has one entry per result; a failed one has a code and no latency', async (t) => {
  const fixture = makeRun({ failureRate: 0.3, repetitions: 4 });
  const { results } = fixture;
  const { results: entries } = JSON.parse(await jsonOf(fixture)) as {
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
