import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import { RunFolder } from '../../coordinator/recording/run-folder.ts';
import { hasFunctions, onlyHelloGo, TestHome } from '../support/stack.ts';

const EXPERIMENT = `experiment: until
question: Does it end when it should?
procedure: {kind: cold-start}
factors: {sandbox: [process], function: [hello-go]}
repetitions: 400
until: {halfWidthPercent: 100, looks: [3, 12, 60]}
budget: {latenessMs: 5000, clockBoundMs: 1000}
`;

test('a run ends at the look at which it is precise enough, and says so', async (t) => {
  if (!(await hasFunctions())) {
    t.log('skipped: the functions are not built on this machine');
    t.pass();
    return;
  }
  const home = await TestHome.create(t, await onlyHelloGo(t));
  const file = join(home.folder, 'until.yaml');
  await writeFile(file, EXPERIMENT);
  const words = ['--agents', '2', '--sandboxes', 'process', '--experiment', file];
  const outcome = await home.run('quickstart', ...words);
  const [runId = ''] = await RunFolder.list(home.folder);
  const folder = RunFolder.of(home.folder, runId);
  t.is(outcome.code, 0, outcome.stderr);
  t.regex(outcome.stderr, /look 1 of 4 at 3 repetitions: process\S+ has too few valid values/);
  t.regex(outcome.stderr, /Stopped at look \d of 4, after \d+ repetitions/);
  const { run, results } = await folder.read();
  t.is(run.state, 'completed');
  t.is(run.stopped?.rule, 'precise');
  t.true([12, 60].includes(run.stopped?.repetitions ?? 0), 'at a look, and not before values do');
  t.is(run.stopped?.repetitions, run.trialsDone);
  t.is(run.trialsPlanned, 400);
  t.is(results.length, 2 * run.trialsDone);
  const looks = (await folder.readEvents()).filter(({ event }) => event === 'look');
  t.is(run.stopped?.look, looks.length);
});
