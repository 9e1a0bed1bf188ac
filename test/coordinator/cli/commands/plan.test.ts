import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { RunFolder } from '../../../../coordinator/recording/run-folder.ts';
import type { Run } from '../../../../schemas/run.ts';
import { makeRun } from '../../../support/run-fixture.ts';
import type { RunFixtureOptions } from '../../../support/run-fixture.ts';
import { TestHome } from '../../../support/stack.ts';

const EXIT_UNREACHABLE = 4;

const CELLS: RunFixtureOptions = { sandboxes: ['process', 'runc'], functions: ['hello-go'] };
const EXPERIMENT = `experiment: planned
question: How many?
procedure: {kind: cold-start}
factors: {sandbox: [process, runc], function: [hello-go]}
repetitions: 40
`;

/** A data folder with an experiment file; no coordinator works on it. */
async function open(t: ExecutionContext): Promise<{ home: TestHome; file: string }> {
  const home = await TestHome.create(t);
  const file = join(home.folder, 'experiment.yaml');
  await writeFile(file, EXPERIMENT);
  return { home, file };
}

async function addRun(
  home: TestHome,
  runId: string,
  options: RunFixtureOptions,
  changes: Partial<Run> = {},
): Promise<void> {
  const { run, plan, results } = makeRun({ repetitions: 20, ...CELLS, ...options });
  const folder = RunFolder.of(home.folder, runId);
  await folder.writeRun({ ...run, ...changes, runId });
  await folder.writePlan(plan);
  await folder.appendResults(results.map((result) => ({ ...result, runId })));
}

test('plan takes the newest run that has the cells for its pilot', async (t) => {
  const { home, file } = await open(t);
  await addRun(home, 'old-20260101-000000-aaaa', {});
  await addRun(home, 'right-20260102-000000-aaaa', {});
  await addRun(home, 'few-20260103-000000-aaaa', { sandboxes: ['process'] });
  await addRun(home, 'other-20260104-000000-aaaa', { kind: 'warm-call' });
  await addRun(home, 'short-20260105-000000-aaaa', { trialsDone: 6 });
  const { stdout, stderr, code } = await home.run('plan', file);
  t.is(code, EXIT_UNREACHABLE, 'the order of trials is missing');
  t.regex(stderr, /BUS_UNAVAILABLE/);
  t.regex(stdout, /^repetitions that the question needs, as far as run right-20260102/);
  t.regex(stdout, /process\/hello-go\/1 +1 +20 /);
});

test('plan takes the pilot that has the most cells if none has all, and says so', async (t) => {
  const { home, file } = await open(t);
  await addRun(home, 'few-20260103-000000-aaaa', { sandboxes: ['process'] });
  await addRun(home, 'none-20260104-000000-aaaa', { sandboxes: ['gvisor'] });
  const { stdout } = await home.run('plan', file);
  t.regex(stdout, /as far as run few-20260103-000000-aaaa tells; it has 1 of the 2 cells/);
});

test('plan --json has the needs of every cell by the pilot that is named', async (t) => {
  const { home, file } = await open(t);
  await addRun(home, 'one-20260101-000000-aaaa', { seed: 1 }, { state: 'cancelled' });
  await addRun(home, 'two-20260102-000000-aaaa', { seed: 2 });
  const words = ['--pilot', 'one-20260101-000000-aaaa', '--detect', '20', '--hosts', '2'];
  const { stdout } = await home.run('plan', file, '--json', ...words);
  const { power } = JSON.parse(stdout) as { power: Record<string, unknown> };
  t.like(power, { pilot: 'one-20260101-000000-aaaa', detectPercent: 20, repetitions: 40 });
  t.deepEqual(power['warnings'], ['it is cancelled, so its cells are not balanced']);
  const cells = power['cells'] as {
    cellId: string;
    hosts: number;
    repetitionsToDetect: number[];
  }[];
  t.deepEqual(cells.map(({ cellId, hosts }) => [cellId, hosts]).toSorted(), [
    ['process/hello-go/1', 2],
    ['runc/hello-go/1', 2],
  ]);
  t.true(cells.every(({ repetitionsToDetect }) => (repetitionsToDetect[0] ?? 0) > 0));
});

test('plan says plainly that no run tells how many repetitions are needed', async (t) => {
  const { home, file } = await open(t);
  const { stdout, stderr, code } = await home.run('plan', file);
  t.is(code, EXIT_UNREACHABLE);
  t.is(stdout, '');
  t.regex(stderr, /no run on disk has a cell of this experiment/);
});

test('plan refuses a pilot that is not there, or measured something else', async (t) => {
  const { home, file } = await open(t);
  await addRun(home, 'warm-20260104-000000-aaaa', { kind: 'warm-call' });
  const absent = await home.run('plan', file, '--pilot', 'nothing');
  t.is(absent.code, 1);
  t.regex(absent.stderr, /NOT_FOUND/);
  const other = await home.run('plan', file, '--pilot', 'warm-20260104-000000-aaaa');
  t.is(other.code, 2);
  t.regex(other.stderr, /is a warm-call, and the experiment a cold-start/);
});
