import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { study } from '../../../coordinator/cli/commands/study.ts';
import type { StudyOptions } from '../../../coordinator/cli/commands/study.ts';
import { Home } from '../../../coordinator/cli/home.ts';
import { lockHome } from '../../../coordinator/cli/home-lock.ts';
import { Output } from '../../../coordinator/cli/output.ts';
import type { Session } from '../../../coordinator/cli/session.ts';
import { StudyFolder } from '../../../coordinator/study/study-folder.ts';
import { rejection } from '../../support/rejection.ts';
import { TestHome } from '../../support/stack.ts';

async function sessionOf(t: ExecutionContext): Promise<Session> {
  const folder = await mkdtemp(join(tmpdir(), 'study-command-'));
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  const output = new Output({ colour: false });
  return { home: new Home(folder), output, signal: new AbortController().signal };
}

async function failureOf(session: Session, options: Partial<StudyOptions>): Promise<string> {
  const { code, message } = await rejection(study({ agents: 1, ...options })(session));
  return `${code}: ${message}`;
}

/** A study that was begun, with nothing of it done. */
async function begun(session: Session, studyId: string): Promise<StudyFolder> {
  const folder = StudyFolder.of(session.home.folder, studyId);
  await folder.begin(
    {
      ...{ version: 1, studyId, arm: 'quick', startedAtUtcMs: 1000 },
      steps: [{ name: 'warm', state: 'pending' }],
    },
    new Map([['warm', 'experiment: study-warm\n']]),
  );
  return folder;
}

test('options that contradict each other are refused, and nothing is begun', async (t) => {
  const session = await sessionOf(t);
  const wrong: Partial<StudyOptions>[] = [
    { quick: true, arm: 'rigorous' },
    { resume: true, study: 'some-study' },
    { resume: true, only: ['warm'] },
    { resume: 'some-study', quick: true },
    { only: ['warm', 'cold-strat'] },
    { study: '../elsewhere' },
    { resume: '/somewhere/else' },
  ];
  for (const options of wrong) {
    t.regex(await failureOf(session, options), /^USAGE: /, JSON.stringify(options));
  }
  t.deepEqual(await readdir(session.home.folder), []);
});

test('a study to go on with must be there, be whole, and be of the arm that is named', async (t) => {
  const session = await sessionOf(t);
  t.regex(await failureOf(session, { resume: true }), /^NOT_FOUND: there is no study in/);
  t.regex(await failureOf(session, { resume: 'some-study' }), /^NOT_FOUND: there is no study in/);
  const folder = await begun(session, 'some-study');
  t.regex(await failureOf(session, { study: 'some-study', arm: 'rigorous' }), /of the quick arm$/);
  const other = { study: 'some-study', quick: true, only: ['burst'] };
  t.regex(await failureOf(session, other), /^USAGE: study some-study was begun without burst/);
  await folder.writeText('study.json', '{');
  t.regex(await failureOf(session, { resume: true }), /^RUN_DAMAGED: /);
});

test('a second process is told that the first one works on the study', async (t) => {
  const session = await sessionOf(t);
  const folder = await begun(session, 'some-study');
  const unlock = await lockHome(folder.folder);
  t.regex(await failureOf(session, { resume: 'some-study' }), /^AGENT_BUSY: process \d+ already/);
  await unlock();
});

test('the command line refuses an unknown arm, and plans without a coordinator', async (t) => {
  const home = await TestHome.create(t);
  const [wrong, planned] = await Promise.all([
    home.run('study', '--arm', 'slow'),
    home.run('study', '--plan', '--json', '--only', 'cold-start,cpu'),
  ]);
  t.is(wrong.code, 2);
  t.regex(wrong.stderr, /faithful, rigorous, quick/);
  t.is(planned.code, 0, planned.stderr);
  const plan = JSON.parse(planned.stdout) as { mostMs: number; experiments: { name: string }[] };
  t.deepEqual(
    plan.experiments.map(({ name }) => name),
    ['cold-start', 'cpu-fib', 'cpu-fft', 'cpu-matrix'],
  );
  t.true(plan.mostMs > 3_600_000);
});
