// The folder of a run as an earlier release wrote it must stay readable; see fixtures/run-v1.
import { join } from 'node:path';
import test from 'ava';
import { recordedTrials, summariseTrials } from '../../../coordinator/analysis/recorded-trials.ts';
import { RunFolder } from '../../../coordinator/recording/run-folder.ts';
import { renderHtml } from '../../../coordinator/report/html.ts';

const folder = new RunFolder(join(import.meta.dirname, 'fixtures/run-v1'));

test('a run of the first format is read as a whole, though it has no checksums', async (t) => {
  const { run, plan, results, damage } = await folder.read();
  t.is(run.state, 'completed');
  t.is(run.resultsFile, undefined);
  t.is(plan?.trials.length, 2);
  t.deepEqual(
    results.map(({ trialId, deviceId }) => `${trialId} ${deviceId}`),
    ['t0005 device-1', 't0005 device-2', 't0007 device-1', 't0007 device-2'],
  );
  t.is(results[0]?.instances[0]?.phases.firstByte, 13_149_995_053_485n);
  t.is(damage.describe(), undefined);
  t.is((await folder.readEvents()).length, 11);
});

test('a run of the first format is put into figures and into a report', async (t) => {
  const { run, plan, results } = await folder.read();
  const summary = await summariseTrials(run, plan!, recordedTrials(run, plan!, results));
  t.deepEqual(
    summary.cells.map(({ cell, attempts }) => [cell.id, attempts]),
    [
      ['process/hello-go/1', 2],
      ['runc/hello-go/1', 2],
    ],
  );
  const page = renderHtml(run, plan!, summary);
  t.true(page.includes('runc/hello-go/1') || page.includes('hello-go'));
  t.true(page.includes(run.experiment.question));
});
