import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import type { StudyReport } from '../../../coordinator/study/study-report.ts';
import { StudyState } from '../../../coordinator/study/study-folder.ts';
import { hasFunctions, TestHome } from '../../support/stack.ts';

const DEADLINE_MS = 280_000;

async function stateOf(home: TestHome): Promise<StudyState> {
  const path = join(home.folder, 'studies/some-study/study.json');
  return StudyState.parse(JSON.parse(await readFile(path, 'utf8')));
}

test.serial('a part of the suite runs for real, is interrupted, and goes on', async (t) => {
  t.timeout(DEADLINE_MS);
  if (!(await hasFunctions())) {
    t.log('skipped: the functions are not built on this machine');
    t.pass();
    return;
  }
  const home = await TestHome.create(t);
  const words = ['study', '--json', '--sandboxes', 'process,runc'];
  const first = home.start(
    ...[...words, '--quick', '--only', 'cold-start,warm', '--study', 'some-study'],
  );
  await first.shows('2/2 warm');
  first.child.kill('SIGINT');
  const interrupted = await first.ended;
  t.is(interrupted.code, 130, interrupted.stderr);
  const half = await stateOf(home);
  t.deepEqual(
    half.steps.map(({ name, state }) => [name, state]),
    [
      ['cold-start', 'done'],
      ['warm', 'pending'],
    ],
  );

  const second = await home.run(...words, '--resume');
  t.is(second.code, 0, second.stderr);
  const whole = await stateOf(home);
  t.deepEqual(whole.steps[0], half.steps[0]);
  t.deepEqual(
    whole.steps.map(({ state }) => state),
    ['done', 'done'],
  );
  // The finished one was not run again.
  const runs = await readdir(join(home.folder, 'runs'));
  t.is(runs.filter((name) => name.startsWith('study-cold-start-')).length, 1);

  const report = JSON.parse(second.stdout) as StudyReport;
  t.is(report.claims.length, 12);
  for (const { name, rows, counts } of report.sections) {
    t.is(counts['not-run'], 0, name);
    t.true(rows.every(({ status, reason }) => status === 'filled' || reason !== undefined));
    for (const sandbox of ['process', 'runc']) {
      const own = rows.filter(({ cellId }) => cellId.startsWith(`${sandbox}/hello-go/`));
      t.true(own.length > 0 && own.every((row) => row.median !== undefined), `${name} ${sandbox}`);
    }
    t.true(
      rows.some(({ cellId, status }) => cellId === 'docker/hello-go/1' && status === 'unavailable'),
      name,
    );
  }
  const page = await readFile(join(home.folder, 'studies/some-study/report.html'), 'utf8');
  t.true(page.includes('docker/hello-go/1'));
  t.deepEqual(await home.processIds(), []);
});
