import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { RunFolder } from '../../../../coordinator/recording/run-folder.ts';
import { CHECKOUT } from '../../../support/nats-server.ts';
import { makeRun } from '../../../support/run-fixture.ts';

const MAIN = join(CHECKOUT, 'coordinator/cli/main.ts');

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

async function lockstep(...words: string[]) {
  const child = spawn(process.execPath, [MAIN, ...words], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { PATH: process.env['PATH'] },
    timeout: 60_000,
  });
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr)]);
  return { code: await ended, stdout, stderr };
}

test('compare and regress tell a run that is slower from one that is the same', async (t) => {
  const data = await dataFolder(t);
  const before = 'before-20260101-000000-aaaa';
  const same = await lockstep('--data', data, 'compare', before, 'again-20260101-000001-aaaa');
  t.is(same.code, 0, same.stderr);
  t.regex(same.stdout, /1\.000/);
  const slower = await lockstep('--data', data, 'compare', before, 'latest', '--json');
  t.is(slower.code, 0, slower.stderr);
  const { cells } = JSON.parse(slower.stdout) as { cells: { verdict: string }[] };
  t.true(cells.length > 0);
  for (const { verdict } of cells) t.is(verdict, 'slower');

  t.is((await lockstep('--data', data, 'regress', before)).code, 6);
  const again = ['regress', before, 'again-20260101-000001-aaaa', '--margin', '40'];
  t.is((await lockstep('--data', data, ...again)).code, 0);
  const narrow = [...again.slice(0, 3), '--margin', '0.001'];
  t.is((await lockstep('--data', data, ...narrow)).code, 7);
});

test('compare refuses a run that is not there and a margin that is none', async (t) => {
  const data = await dataFolder(t);
  const absent = await lockstep('--data', data, 'compare', 'before-20260101-000000-aaaa', 'nope');
  t.is(absent.code, 1);
  t.regex(absent.stderr, /NOT_FOUND/);
  const words = ['--data', data, 'compare', 'latest', 'latest', '--margin', '-5'];
  t.is((await lockstep(...words)).code, 2);
});
