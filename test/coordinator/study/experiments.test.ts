import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import { assertExperiment } from '../../../coordinator/experiment/experiment-file.ts';
import { cellsOf } from '../../../coordinator/planning/cells.ts';
import { plan } from '../../../coordinator/planning/planner.ts';
import { estimate } from '../../../coordinator/study/estimate.ts';
import { QUANTITIES } from '../../../coordinator/study/quantities.ts';
import { ARMS, selectExperiments } from '../../../coordinator/study/suite.ts';
import type { Arm } from '../../../coordinator/study/suite.ts';
import { targetOf } from '../../../coordinator/study/targets.ts';
import type { Experiment } from '../../../schemas/experiment.ts';
import { CHECKOUT } from '../../support/nats-server.ts';

const FOLDER = join(CHECKOUT, 'experiments/study');
const FUNCTIONS = [
  { name: 'hello-go', form: 'program', staticBinary: true },
  { name: 'study-go', form: 'program', staticBinary: true },
  { name: 'hello-node', form: 'program', staticBinary: false },
] as const;
const HERE = { processors: 2, hasKvm: false };

async function experimentsOf(arm: Arm): Promise<Map<string, Experiment>> {
  const entries = selectExperiments(arm).map(async ({ name, file }) => {
    const text = await readFile(join(FOLDER, arm, file), 'utf8');
    return [name, assertExperiment(text, file)] as const;
  });
  return new Map(await Promise.all(entries));
}

for (const arm of ARMS) {
  test(`every file of the ${arm} arm is in the suite, is in order and can be planned`, async (t) => {
    const files = selectExperiments(arm).map(({ file }) => file);
    t.deepEqual((await readdir(join(FOLDER, arm))).toSorted(), files.toSorted());
    for (const [name, experiment] of await experimentsOf(arm)) {
      t.is(experiment.experiment, `study-${name}`);
      t.is(experiment.unavailable, 'skip', name);
      const planned = plan(experiment, [], FUNCTIONS);
      t.is(planned.trials.length, planned.cells.length * experiment.repetitions, name);
      const ids = new Set([...planned.cells, ...planned.skipped.map(({ cell }) => cell)]);
      t.is(ids.size, cellsOf(experiment).length, name);
    }
  });
}

test('all twelve experiments of the study are in each arm', (t) => {
  for (const arm of ARMS) {
    t.deepEqual(
      [...new Set(selectExperiments(arm).map(({ group }) => group))],
      [
        ...['cold-start', 'burst', 'startup', 'idle-memory', 'idle-instructions', 'cpu', 'alloc'],
        ...['read', 'unzip', 'network-simple', 'network-file', 'warm'],
      ],
    );
  }
});

test('each experiment but warm has every target of the study', async (t) => {
  for (const arm of ARMS) {
    for (const [name, { factors }] of await experimentsOf(arm)) {
      const targets = new Set(factors.sandbox.map((sandbox) => targetOf(sandbox)?.target));
      if (arm === 'faithful' && name === 'warm') continue;
      for (const target of ['linux', 'nanos', 'osv', 'docker', 'gvisor'] as const) {
        t.true(targets.has(target), `${arm} ${name} ${target}`);
      }
    }
  }
});

test('the faithful arm is fixed in order, the others are randomised', async (t) => {
  for (const arm of ARMS) {
    for (const [name, { order }] of await experimentsOf(arm)) {
      t.is(order, arm === 'faithful' ? 'fixed' : 'randomised-blocks', `${arm} ${name}`);
    }
  }
});

test('the faithful arm has the parameters of the study', async (t) => {
  const faithful = await experimentsOf('faithful');
  const repetitions = Object.fromEntries(
    [...faithful].map(([name, experiment]) => [name, experiment.repetitions]),
  );
  const often = ['cold-start', 'startup-cached', 'startup-evicted', 'cpu-fib', 'cpu-fft'];
  for (const name of [...often, 'cpu-matrix', 'alloc', 'read', 'unzip']) {
    t.is(repetitions[name], 100, name);
  }
  const tens = Array.from({ length: 10 }, (_, index) => 10 * (index + 1));
  t.deepEqual(faithful.get('burst')?.factors.instances, tens);
  t.like(faithful.get('cpu-fib')?.procedure, { work: 'fib', n: 1_000_000_000, calls: 2 });
  t.like(faithful.get('cpu-fft')?.procedure, { work: 'fft', n: 1_048_576 });
  t.like(faithful.get('cpu-matrix')?.procedure, { work: 'matrix', n: 1024 });
  t.like(faithful.get('idle-memory')?.procedure, { steps: 10, settleMs: 10_000 });
  t.like(faithful.get('network-file')?.procedure, { requests: 204, connections: [4] });
  const powers = Array.from({ length: 13 }, (_, index) => 2 ** index);
  t.like(faithful.get('network-simple')?.procedure, { requests: 32_768, connections: powers });
});

test('the quick arm starts at most five at once, and computes less', async (t) => {
  const quick = await experimentsOf('quick');
  for (const [name, { factors }] of quick) t.true(Math.max(...factors.instances) <= 5, name);
  t.like(quick.get('cpu-fib')?.procedure, { n: 10_000_000 });
});

test('names of experiments and of groups select, and others are refused', (t) => {
  const names = (only: string[]): string[] =>
    selectExperiments('quick', only).map(({ name }) => name);
  t.deepEqual(names(['warm', 'startup']), ['startup-cached', 'startup-evicted', 'warm']);
  t.deepEqual(names(['cpu-fft']), ['cpu-fft']);
  t.throws(() => selectExperiments('quick', ['unzip-compressible']), { code: 'USAGE' });
  t.throws(() => selectExperiments('quick', ['']), { code: 'USAGE' });
});

test('what is shown of an experiment are known quantities', (t) => {
  for (const { quantities } of selectExperiments('rigorous')) {
    for (const name of quantities) t.true(name in QUANTITIES);
  }
});

test('an estimate grows with repetitions, cells and sandboxes at once', async (t) => {
  for (const [name, experiment] of await experimentsOf('faithful')) {
    const cells = cellsOf(experiment);
    const of = (repetitions: number): number =>
      estimate({ ...experiment, repetitions }, cells, HERE).mostMs;
    for (const repetitions of [1, 2, 10, 99]) {
      t.true(of(repetitions) < of(repetitions + 1), `${name} ${repetitions}`);
    }
    const one = estimate(experiment, cells.slice(0, 1), HERE).mostMs;
    t.true(one < estimate(experiment, cells, HERE).mostMs, name);
    t.true(estimate(experiment, cells, { ...HERE, hasKvm: true }).mostMs <= of(100), name);
  }
});

test('an estimate is of nothing for no cell, and ends at a time limit', async (t) => {
  const cold = (await experimentsOf('quick')).get('cold-start');
  if (cold === undefined) throw new Error('no cold-start');
  const cells = cellsOf(cold);
  t.deepEqual(estimate(cold, [], HERE), {
    ...{ leastMs: 0, mostMs: 0, leastTrials: 0, mostTrials: 0 },
  });
  const long = {
    ...cold,
    repetitions: 10_000,
    until: { of: 'median', timeLimitMinutes: 3 },
  } as const;
  t.true(estimate(long, cells, HERE).mostMs < 6 * 60_000);
  const adaptive = (await experimentsOf('rigorous')).get('cold-start');
  if (adaptive === undefined) throw new Error('no cold-start');
  const range = estimate(adaptive, cells, HERE);
  t.is(range.leastTrials, 20 * cells.length);
  t.is(range.mostTrials, 160 * cells.length);
});
