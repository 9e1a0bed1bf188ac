import { mkdtemp, readFile, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { RunFolder } from '../../../../coordinator/recording/run-folder.ts';
import { runCommandLine } from '../../../support/command-line.ts';
import { makeRun } from '../../../support/run-fixture.ts';

const RUN_ID = 'fixture-20260101-000000-aaaa';

async function dataFolder(t: ExecutionContext): Promise<string> {
  const data = await mkdtemp(join(tmpdir(), 'report-'));
  t.teardown(() => rm(data, { recursive: true, force: true }));
  const { run, plan, results } = makeRun({ repetitions: 3, agentsPerHost: [1, 1] });
  const folder = RunFolder.of(data, RUN_ID);
  await folder.writeRun({ ...run, runId: RUN_ID });
  await folder.writePlan(plan);
  await folder.appendResults(results.map((result) => ({ ...result, runId: RUN_ID })));
  return data;
}

async function lockstep(...words: string[]) {
  const ended = await runCommandLine(...words);
  return { ...ended, stdout: ended.stdout.trim() };
}

test('report --markdown writes a text, and a file for every figure that it shows', async (t) => {
  const data = await dataFolder(t);
  const out = join(data, 'paper');
  const { code, stdout, stderr } = await lockstep(
    ...['--data', data, 'report', 'latest', '--markdown', '--out', out],
  );
  t.is(code, 0, stderr);
  t.is(stdout, join(out, 'report.md'));
  const markdown = await readFile(stdout, 'utf8');
  const shown = [...markdown.matchAll(/!\[[^\]]*\]\(figures\/([^)]+)\)/g)].map(([, name]) => name!);
  t.true(shown.length > 10);
  t.deepEqual((await readdir(join(out, 'figures'))).toSorted(), shown.toSorted());
  const page = await readFile(join(data, 'runs', RUN_ID, 'report.html'), 'utf8');
  t.true(page.includes('<!doctype html>'));
});

test('report links the raw files that are in the folder of the run', async (t) => {
  const data = await dataFolder(t);
  await RunFolder.of(data, RUN_ID).writeText('experiment.yaml', 'experiment: fixture\n');
  const { stdout } = await lockstep('--data', data, 'report');
  const page = await readFile(stdout, 'utf8');
  const links = [...page.matchAll(/href="([^"]+)"/g)].map(([, name]) => name!);
  t.true(links.includes('experiment.yaml') && links.includes('results.ndjson'));
  const there = await readdir(dirname(stdout));
  t.deepEqual(
    links.filter((name) => !there.includes(name)),
    [],
  );
});

test('report says what it cannot write, and where', async (t) => {
  const data = await dataFolder(t);
  const out = join(data, 'runs', RUN_ID, 'run.json', 'paper');
  const { code, stderr } = await lockstep('--data', data, 'report', '--markdown', '--out', out);
  t.is(code, 1);
  t.regex(stderr, /STORAGE_FAILED[^]*cannot write/);
});
