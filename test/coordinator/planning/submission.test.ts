import test from 'ava';
import { withRepetitions } from '../../../coordinator/planning/submission.ts';
import { Experiment } from '../../../schemas/experiment.ts';

const experimentWith = (until?: Record<string, unknown>): Experiment =>
  Experiment.parse({
    experiment: 'test',
    question: 'Why?',
    procedure: { kind: 'cold-start' },
    factors: { sandbox: ['process'], function: ['hello-go'] },
    repetitions: 40,
    ...(until === undefined ? {} : { until }),
  });

test('withRepetitions leaves an experiment as it is without a number', (t) => {
  const experiment = experimentWith({ halfWidthPercent: 5, looks: [10, 20] });
  t.is(withRepetitions(experiment, undefined), experiment);
});

test('withRepetitions keeps the looks that are left, and looks at the new maximum', (t) => {
  const experiment = experimentWith({ halfWidthPercent: 5, looks: [10, 20, 40] });
  t.deepEqual(withRepetitions(experiment, 15).until?.looks, [10, 15]);
  t.deepEqual(withRepetitions(experiment, 6).until?.looks, [6]);
  t.deepEqual(withRepetitions(experiment, 90).until?.looks, [10, 20, 40, 90]);
});

test('withRepetitions gives an experiment that is still in order', (t) => {
  for (const until of [
    undefined,
    { halfWidthPercent: 5, looks: [10, 40] },
    { halfWidthPercent: 5 },
  ]) {
    const changed = withRepetitions(experimentWith(until), 6);
    t.is(changed.repetitions, 6);
    t.true(Experiment.safeParse(changed).success);
  }
});
