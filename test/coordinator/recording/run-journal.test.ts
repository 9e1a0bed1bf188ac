import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { pino } from 'pino';
import { RunFolder } from '../../../coordinator/recording/run-folder.ts';
import { RunJournal } from '../../../coordinator/recording/run-journal.ts';
import { makeRun } from '../../support/run-fixture.ts';

const { run, plan, results } = makeRun({ sandboxes: ['process'], repetitions: 2 });
const logger = pino({ level: 'silent' });

async function journalOf(t: ExecutionContext): Promise<RunJournal> {
  const data = await mkdtemp(join(tmpdir(), 'run-journal-'));
  t.teardown(() => rm(data, { recursive: true, force: true }));
  const queued = { ...run, state: 'queued' as const };
  return new RunJournal(queued, RunFolder.of(data, run.runId), {
    bus: { publish: () => undefined } as never,
    append: () => Promise.resolve(),
    logger,
  });
}

test('RunJournal states at the end of a run what its results are, and not before', async (t) => {
  const journal = await journalOf(t);
  await journal.begin(plan);
  await journal.folder.appendResults(results);
  await journal.enter('running', 'running');
  t.deepEqual((await journal.folder.readRun()).resultsFile, { lineCheck: 'crc-32' });
  await journal.enter('completed', 'completed');
  const { resultsFile } = await journal.folder.readRun();
  t.is(resultsFile?.lineCheck, 'crc-32');
  t.is(resultsFile?.end?.lines, results.length);
  t.deepEqual(journal.run.resultsFile, resultsFile);
  t.is((await journal.folder.read()).damage.describe(), undefined);
});

test('RunJournal ends a run without results, and one whose results can not be read', async (t) => {
  const empty = await journalOf(t);
  await empty.begin(plan);
  await empty.enter('cancelled', 'cancelled');
  t.is((await empty.folder.readRun()).resultsFile?.end?.bytes, 0);
  const spoiled = await journalOf(t);
  await spoiled.begin(plan);
  await mkdir(spoiled.folder.path('results.ndjson'));
  await spoiled.enter('failed', 'failed');
  const ended = await spoiled.folder.readRun();
  t.is(ended.state, 'failed');
  t.is(ended.resultsFile?.end, undefined);
});
