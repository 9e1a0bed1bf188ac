import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { RunFolder } from '../../../../coordinator/recording/run-folder.ts';
import { runCommandLine } from '../../../support/command-line.ts';
import { makeRun } from '../../../support/run-fixture.ts';

/** A data folder with a run, the same run again, and one whose sandboxes took longer. */
async function dataFolder(t: ExecutionContext): Promise<string> {
  const data = await mkdtemp(join(tmpdir(), 'compare-'));
  t.teardown(() => rm(data, { recursive: true, force: true }));
  const { run, plan, results } = makeRun({ repetitions: 40, agentsPerHost: [1] });
  for (const [runId, factor] of [
    ['before-20260101-000000-aaaa', 10n],
    ['again-20260101-000001-aaaa', 10n],
    ['slow-20260101-000002-aaaa', 15n],
  ] as const) {
    const folder = RunFolder.of(data, runId);
    await folder.writeRun({ ...run, runId });
    await folder.writePlan(plan);
    await folder.appendResults(
      results.map((result) => ({
        ...result,
        runId,
        instances: result.instances.map((instance) => {
          const { request, firstByte } = instance.phases;
          if (request === undefined || firstByte === undefined) return instance;
          const later = request + ((firstByte - request) * factor) / 10n;
          return { ...instance, phases: { ...instance.phases, firstByte: later } };
        }),
      })),
    );
  }
  return data;
}

test('compare and regress tell a run that is slower from one that is the same', async (t) => {
  const data = await dataFolder(t);
  const before = 'before-20260101-000000-aaaa';
  const same = await runCommandLine(
    '--data',
    data,
    'compare',
    before,
    'again-20260101-000001-aaaa',
  );
  t.is(same.code, 0, same.stderr);
  t.regex(same.stdout, /1\.000/);
  const slower = await runCommandLine('--data', data, 'compare', before, 'latest', '--json');
  t.is(slower.code, 0, slower.stderr);
  const { cells } = JSON.parse(slower.stdout) as { cells: { verdict: string }[] };
  t.true(cells.length > 0);
  for (const { verdict } of cells) t.is(verdict, 'slower');

  t.is((await runCommandLine('--data', data, 'regress', before)).code, 6);
  const again = ['regress', before, 'again-20260101-000001-aaaa', '--margin', '40'];
  t.is((await runCommandLine('--data', data, ...again)).code, 0);
  const narrow = [...again.slice(0, 3), '--margin', '0.001'];
  t.is((await runCommandLine('--data', data, ...narrow)).code, 7);
});

test('compare refuses a run that is not there and a margin that is none', async (t) => {
  const data = await dataFolder(t);
  const absent = await runCommandLine(
    '--data',
    data,
    'compare',
    'before-20260101-000000-aaaa',
    'nope',
  );
  t.is(absent.code, 1);
  t.regex(absent.stderr, /NOT_FOUND/);
  const words = ['--data', data, 'compare', 'latest', 'latest', '--margin', '-5'];
  t.is((await runCommandLine(...words)).code, 2);
});

test('compare --self says whether a run differs from itself, and takes one run', async (t) => {
  const data = await dataFolder(t);
  const self = await runCommandLine('--data', data, 'compare', 'latest', '--self');
  t.is(self.code, 0, self.stderr);
  t.regex(self.stdout, /slow-20260101-000002-aaaa does not distinguish itself from itself/);
  t.is((await runCommandLine('--data', data, 'compare', 'latest', 'latest', '--self')).code, 2);
  const alone = await runCommandLine('--data', data, 'compare', 'latest');
  t.is(alone.code, 2);
  t.regex(alone.stderr, /two runs, or one and --self/);
});

test('regress fails for more failures, though no time got longer', async (t) => {
  const data = await mkdtemp(join(tmpdir(), 'failures-'));
  t.teardown(() => rm(data, { recursive: true, force: true }));
  for (const [runId, failureRate] of [
    ['before-20260101-000000-aaaa', 0],
    ['after-20260101-000001-aaaa', 0.5],
  ] as const) {
    const made = makeRun({ repetitions: 60, agentsPerHost: [1], failureRate });
    const folder = RunFolder.of(data, runId);
    await folder.writeRun({ ...made.run, runId });
    await folder.writePlan(made.plan);
    await folder.appendResults(made.results.map((result) => ({ ...result, runId })));
  }
  const words = ['regress', 'before-20260101-000000-aaaa', '--margin', '400'];
  const found = await runCommandLine('--data', data, ...words);
  t.is(found.code, 6, found.stderr);
  t.regex(found.stdout, /more-failures/);
  t.notRegex(found.stdout, /slower/);
});

test('trend follows a cell over the runs of an experiment, oldest first', async (t) => {
  const data = await dataFolder(t);
  const all = await runCommandLine('--data', data, 'trend', 'process/hello-go/1');
  t.is(all.code, 0, all.stderr);
  const places = ['before-', 'again-', 'slow-'].map((name) => all.stdout.indexOf(`\n${name}`));
  t.true(places[0]! > 0 && places[0]! < places[1]! && places[1]! < places[2]!, all.stdout);
  t.regex(all.stdout, /slow-.* 1\.500 .*slower/);
  const named = ['trend', 'before-20260101-000000-aaaa', 'slow-20260101-000002-aaaa', '--json'];
  const json = await runCommandLine('--data', data, ...named);
  const { cells } = JSON.parse(json.stdout) as { cells: { points: unknown[] }[] };
  t.is(cells.length, 8);
  for (const { points } of cells) t.is(points.length, 2);
  const absent = await runCommandLine('--data', data, 'trend', 'process/nothing/1');
  t.is(absent.code, 1);
  t.regex(absent.stderr, /process\/hello-go\/1/);
});
