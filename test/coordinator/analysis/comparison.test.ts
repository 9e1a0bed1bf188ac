import test from 'ava';
import { compareRuns, verdictOf } from '../../../coordinator/analysis/comparison.ts';
import { summarise } from '../../../coordinator/analysis/summary.ts';
import { makeRun } from '../../support/run-fixture.ts';

const OPTIONS = { margin: 0.05, seed: 1 };

function ratioOf(lower: number, upper: number) {
  return { ratio: (lower + upper) / 2, interval: { lower, upper, coverage: 0.95 } };
}

test('verdictOf goes by where the interval lies against 1 and the margin', (t) => {
  t.is(verdictOf(ratioOf(1.1, 1.3), 0.05), 'slower');
  t.is(verdictOf(ratioOf(0.7, 0.9), 0.05), 'faster');
  t.is(verdictOf(ratioOf(0.98, 1.03), 0.05), 'same');
  t.is(verdictOf(ratioOf(1.01, 1.2), 0.05), 'slightly-slower');
  t.is(verdictOf(ratioOf(0.8, 0.99), 0.05), 'slightly-faster');
  t.is(verdictOf(ratioOf(0.9, 1.2), 0.05), 'undecided');
  t.is(verdictOf({ ratio: 1 }, 0.05), 'too-few');
  t.is(verdictOf(undefined, 0.05), 'missing');
});

function summaryOf(options: Parameters<typeof makeRun>[0]) {
  const { run, plan, results } = makeRun(options);
  return summarise(run, plan, results);
}

test('compareRuns finds a run the same as itself', (t) => {
  const one = summaryOf({ repetitions: 40, agentsPerHost: [1] });
  const { cells, warnings } = compareRuns(one, one, { ...OPTIONS, margin: 0.2 });
  t.true(cells.length > 0);
  for (const { cellId, ratio, effect, pAdjusted, verdict } of cells) {
    t.is(ratio?.ratio, 1, cellId);
    t.is(effect?.a12, 0.5, cellId);
    t.is(pAdjusted, 1, cellId);
    t.is(verdict, 'same', cellId);
  }
  t.deepEqual(warnings, []);
});

test('compareRuns sees a run whose every time is a half longer', (t) => {
  const before = summaryOf({ repetitions: 40, agentsPerHost: [1] });
  const after = {
    ...before,
    cells: before.cells.map((cell) => ({
      ...cell,
      units: cell.units.map((unit) => ({ ...unit, valueNs: unit.valueNs * 1.5 })),
    })),
  };
  for (const { cellId, ratio, verdict } of compareRuns(before, after, OPTIONS).cells) {
    t.is(ratio?.ratio.toFixed(6), '1.500000', cellId);
    t.is(verdict, 'slower', cellId);
  }
  for (const { verdict } of compareRuns(after, before, OPTIONS).cells) t.is(verdict, 'faster');
});

test('compareRuns says which cells only one run has, and that a run is not complete', (t) => {
  const before = summaryOf({ repetitions: 10, agentsPerHost: [1] });
  const [first, ...rest] = before.cells;
  const after = { ...before, state: 'cancelled' as const, cells: rest };
  const { cells, warnings } = compareRuns(before, after, OPTIONS);
  t.is(cells.find(({ cellId }) => cellId === first?.cell.id)?.verdict, 'missing');
  t.is(warnings.length, 1);
});

test('compareRuns tells that failures got more, and that a few more may be chance', (t) => {
  const before = summaryOf({ repetitions: 40, agentsPerHost: [1], sandboxes: ['process'] });
  const withFailures = (failures: number) => ({
    ...before,
    cells: before.cells.map((cell) => ({ ...cell, failures })),
  });
  for (const { failures } of compareRuns(before, withFailures(12), OPTIONS).cells) {
    t.is(failures?.verdict, 'more-failures');
    t.deepEqual(failures?.rates, [0, 0.3]);
    t.deepEqual(failures?.n, [40, 40]);
  }
  for (const { failures } of compareRuns(before, withFailures(2), OPTIONS).cells) {
    t.is(failures?.verdict, 'no-difference');
  }
  for (const { failures } of compareRuns(withFailures(12), before, OPTIONS).cells) {
    t.is(failures?.verdict, 'fewer-failures');
  }
});

test('compareRuns counts agents of one host once, for latencies as for failures', (t) => {
  const shared = summaryOf({ repetitions: 12, agentsPerHost: [5], sandboxes: ['process'] });
  const failing = {
    ...shared,
    cells: shared.cells.map((cell) => ({ ...cell, failures: 15 })),
  };
  // 15 of 60 attempts would be many; of 12 trials on the one host they are 3.
  for (const { n, ratio, failures } of compareRuns(shared, failing, OPTIONS).cells) {
    t.deepEqual(n, [12, 12]);
    t.is(ratio?.basis, 'trials');
    t.deepEqual(failures?.n, [12, 12]);
    t.is(failures?.verdict, 'no-difference');
  }
});

test('compareRuns pairs the hosts that both runs have, and says so if they are others', (t) => {
  const made = makeRun({ repetitions: 10, agentsPerHost: [1, 1, 1], sandboxes: ['process'] });
  const other = makeRun({
    repetitions: 10,
    agentsPerHost: [1, 1, 1],
    sandboxes: ['process'],
    seed: 2,
  });
  const [before, after] = [made, other].map(({ run, plan, results }) =>
    summarise(run, plan, results),
  );
  const paired = compareRuns(before!, after!, { ...OPTIONS, runs: [made.run, other.run] });
  t.deepEqual(new Set(paired.cells.map(({ ratio }) => ratio?.basis)), new Set(['hosts-paired']));
  t.regex(paired.cells[0]?.caution ?? '', /only 3 hosts/);
  t.deepEqual(paired.warnings, []);
  const elsewhere = {
    ...other.run,
    devices: other.run.devices.map((device) => {
      const { presence } = device;
      const facts = { ...presence.facts, machineId: `other-${presence.facts.machineId}` };
      return { ...device, presence: { ...presence, facts } };
    }),
  };
  const apart = compareRuns(before!, after!, { ...OPTIONS, runs: [made.run, elsewhere] });
  t.deepEqual(new Set(apart.cells.map(({ ratio }) => ratio?.basis)), new Set(['hosts']));
  t.true(apart.warnings.some((warning) => /3 before, 3 after, 0 in both/.test(warning)));
});

test('compareRuns warns of every condition that was not the same', (t) => {
  const made = makeRun({ repetitions: 10, agentsPerHost: [1], sandboxes: ['process', 'microvm'] });
  const before = summarise(made.run, made.plan, made.results);
  const [device] = made.run.devices;
  const run = {
    ...made.run,
    experiment: { ...made.run.experiment, waves: 2, repetitions: 99 },
    functions: made.run.functions.map(({ name }) => ({ name, digest: `sha256:${'0'.repeat(64)}` })),
    coordinatorVersion: '0.2.0',
    devices: [
      {
        ...device!,
        presence: {
          ...device!.presence,
          agentVersion: '0.2.0',
          facts: { ...device!.presence.facts, kernel: '6.12.1', memoryBytes: 8.05 * 2 ** 30 },
        },
      },
    ],
  };
  const after = {
    ...before,
    setUps: before.setUps.map((setUp) =>
      setUp.sandbox === 'microvm' ? { ...setUp, details: 'accelerator kvm' } : setUp,
    ),
  };
  const { warnings } = compareRuns(before, after, { ...OPTIONS, runs: [made.run, run] });
  const found = warnings.map((warning) => warning.split(' differs: ')[0]);
  t.deepEqual(found, [
    'waves',
    'build of hello-go',
    'build of hello-node',
    'set-up of microvm',
    'kernel of the devices',
    'agent version',
    'coordinator version',
  ]);
});
