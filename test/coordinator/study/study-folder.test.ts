import { mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { lockHome } from '../../../coordinator/cli/home-lock.ts';
import { StudyFolder } from '../../../coordinator/study/study-folder.ts';
import type { StudyState } from '../../../coordinator/study/study-folder.ts';
import { rejection } from '../../support/rejection.ts';

const STATE: StudyState = {
  ...{ version: 1, studyId: 'some-study', arm: 'quick', startedAtUtcMs: 1000 },
  steps: [
    { name: 'cold-start', state: 'done', runId: 'study-cold-start-1' },
    { name: 'burst', state: 'failed', failure: { code: 'NO_CELL', message: 'nothing is left' } },
    { name: 'warm', state: 'pending' },
  ],
};

async function begun(t: ExecutionContext): Promise<{ data: string; folder: StudyFolder }> {
  const data = await mkdtemp(join(tmpdir(), 'study-'));
  t.teardown(() => rm(data, { recursive: true, force: true }));
  const folder = StudyFolder.of(data, 'some-study');
  await folder.begin(STATE, new Map([['warm', 'experiment: warm\n']]));
  return { data, folder };
}

test('what was begun is read again, by another process too', async (t) => {
  const { data, folder } = await begun(t);
  t.deepEqual(await StudyFolder.of(data, 'some-study').read(), STATE);
  t.is(await folder.experimentText('warm'), 'experiment: warm\n');
  t.deepEqual((await readdir(folder.folder)).toSorted(), ['experiments', 'study.json']);
});

test('a step changes alone, on disk as in memory', async (t) => {
  const { folder } = await begun(t);
  const changed = await folder.writeStep(STATE, { name: 'warm', state: 'running', runId: 'run-1' });
  t.deepEqual(changed.steps[2], { name: 'warm', state: 'running', runId: 'run-1' });
  t.deepEqual(changed.steps.slice(0, 2), STATE.steps.slice(0, 2));
  t.deepEqual(await folder.read(), changed);
  const again = await folder.writeStep(changed, { name: 'warm', state: 'done', runId: 'run-1' });
  t.deepEqual(await folder.read(), again);
});

test('a study that is not there, and one whose id leads elsewhere', async (t) => {
  const { data } = await begun(t);
  const other = StudyFolder.of(data, 'other');
  t.false(await other.exists());
  t.is((await rejection(other.read())).code, 'NOT_FOUND');
  for (const id of ['../runs', '', 'a/b', '.']) {
    t.throws(() => StudyFolder.of(data, id), { code: 'USAGE' });
  }
});

test('a damaged state is told, and what to do', async (t) => {
  const { folder } = await begun(t);
  const text = await readFile(folder.path('study.json'), 'utf8');
  const damages = [
    ...['', text.slice(0, -20), '[]', text.replace('"version": 1', '"version": 2')],
    ...[text.replace('done', 'finished'), text.replace('quick', 'slow'), '\0'.repeat(200)],
  ];
  for (const damage of damages) {
    await writeFile(folder.path('study.json'), damage);
    t.true(await folder.exists());
    const error = await rejection(folder.read());
    t.is(error.code, 'RUN_DAMAGED', damage.slice(0, 40));
    t.regex(error.hint ?? '', /Begin a new study/);
  }
  t.is((await rejection(folder.experimentText('burst'))).code, 'RUN_DAMAGED');
});

test('studies are listed, the newest first', async (t) => {
  const { data } = await begun(t);
  const newer = { ...STATE, studyId: 'a-newer-one', startedAtUtcMs: 2000 };
  await StudyFolder.of(data, 'a-newer-one').begin(newer, new Map());
  t.deepEqual(await StudyFolder.list(data), ['a-newer-one', 'some-study']);
  t.deepEqual(await StudyFolder.list(join(data, 'nowhere')), []);
});

test('one process at a time works on a study', async (t) => {
  const { folder } = await begun(t);
  const unlock = await lockHome(folder.folder);
  t.is((await rejection(lockHome(folder.folder))).code, 'AGENT_BUSY');
  await unlock();
  await (
    await lockHome(folder.folder)
  )();
});
