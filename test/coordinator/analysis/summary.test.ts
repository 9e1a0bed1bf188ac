import assert from 'node:assert/strict';
import test from 'ava';
import fc from 'fast-check';
import type { CellSummary } from '../../../coordinator/analysis/run-summary.ts';
import { summarise } from '../../../coordinator/analysis/summary.ts';
import type { TrialResult } from '../../../schemas/result.ts';
import { makeRun, randomNumbers, shuffled } from '../../support/run-fixture.ts';
import type { RunFixtureOptions } from '../../support/run-fixture.ts';

const MIXED: RunFixtureOptions = {
  repetitions: 6,
  failureRate: 0.15,
  invalidRate: 0.1,
  agentsPerHost: [2, 1],
  sandboxes: ['process', 'runc'],
};

function stoodDown(result: TrialResult): TrialResult {
  const changed: TrialResult = {
    ...result,
    reportedBy: 'coordinator',
    status: 'failed',
    failure: { code: 'GANG_INCOMPLETE', message: 'stood down: agent-2 could not be armed' },
    instances: [],
  };
  delete changed.start;
  delete changed.clock;
  return changed;
}

test('summarise gives the same summary whatever the order of the results', (t) => {
  const { run, plan, results } = makeRun(MIXED);
  const expected = summarise(run, plan, results);
  fc.assert(
    fc.property(fc.integer({ min: 0 }), (seed) => {
      assert.deepEqual(summarise(run, plan, shuffled(results, randomNumbers(seed))), expected);
    }),
    { numRuns: 20 },
  );
  t.pass();
});

test('summarise counts a copy of a result as a copy, and changes no figure', (t) => {
  const { run, plan, results } = makeRun(MIXED);
  const expected = summarise(run, plan, results);
  fc.assert(
    fc.property(fc.nat(results.length - 1), fc.integer({ min: 1, max: 4 }), (index, copies) => {
      const copy = structuredClone(results[index]);
      assert(copy !== undefined);
      const doubled = [...Array.from({ length: copies }, () => copy), ...results];
      const actual = summarise(run, plan, doubled);
      assert.deepEqual(actual.cells, expected.cells);
      assert.deepEqual(actual.start, expected.start);
      assert.equal(actual.results.duplicates, copies);
      assert.equal(actual.results.distinct, results.length);
    }),
    { numRuns: 20 },
  );
  t.pass();
});

test('summarise counts every attempt as exactly one of kept, failed, invalid, unmeasured', (t) => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 1e6 }), (seed) => {
      const { run, plan, results } = makeRun({ ...MIXED, seed, repetitions: 3 });
      const { cells, exceptions } = summarise(run, plan, results);
      const sum = (pick: (cell: CellSummary) => number): number =>
        cells.reduce((total, cell) => total + pick(cell), 0);
      assert.equal(
        sum((cell) => cell.attempts),
        results.length,
      );
      for (const cell of cells) {
        const { kept, failures, invalid, unmeasured, attempts } = cell;
        assert.equal(kept + failures + invalid + unmeasured, attempts);
      }
      assert.equal(exceptions.length, results.length - sum((cell) => cell.kept));
    }),
    { numRuns: 20 },
  );
  t.pass();
});

test('summarise takes the median over agents of one host as one value of the trial', (t) => {
  const { run, plan, results } = makeRun({
    sandboxes: ['process'],
    functions: ['hello-go'],
    repetitions: 8,
    agentsPerHost: [3],
  });
  const [cell] = summarise(run, plan, results).cells;
  t.is(cell?.attempts, 24);
  t.is(cell?.latency?.n, 8);
  const first = results
    .filter(({ trialId }) => trialId === 't0000')
    .map(({ instances: [only] }) => Number(only!.phases.firstByte! - only!.phases.request!))
    .toSorted((a, b) => a - b);
  t.is(cell?.units[0]?.valueNs, first[1]);
  t.is(cell?.units[0]?.devices, 3);
});

test('summarise does not narrow an interval for agents that share a host', (t) => {
  const base = { sandboxes: ['runc'], functions: ['hello-go'], failureRate: 0.2 } as const;
  const crowd = makeRun({ ...base, agentsPerHost: [5] });
  const fleet = makeRun({ ...base, agentsPerHost: [1, 1, 1, 1, 1] });
  const [shared] = summarise(crowd.run, crowd.plan, crowd.results).cells;
  const [spread] = summarise(fleet.run, fleet.plan, fleet.results).cells;
  const width = (cell: CellSummary | undefined): number =>
    cell!.failureInterval!.upper - cell!.failureInterval!.lower;
  t.is(shared?.attempts, spread?.attempts);
  t.true((shared?.latency?.n ?? 99) <= 10);
  t.true((spread?.latency?.n ?? 0) > 30);
  t.true(width(shared) > 1.5 * width(spread));
});

test('summarise lets a result of the device supersede what the coordinator wrote for it', (t) => {
  const { run, plan, results } = makeRun({ repetitions: 1 });
  const [own] = results;
  const inPlace: TrialResult = {
    ...stoodDown(own!),
    failure: { code: 'DEVICE_LOST', message: '' },
  };
  for (const order of [
    [inPlace, ...results],
    [...results, inPlace],
  ]) {
    const summary = summarise(run, plan, order);
    t.is(summary.results.superseded, 1);
    t.is(summary.exceptions.length, 0);
  }
  const alone = summarise(run, plan, [inPlace, ...results.slice(1)]);
  t.is(alone.exceptions[0]?.kind, 'failed');
});

test('summarise keeps one of several different results under one key, and says so', (t) => {
  const { run, plan, results } = makeRun({ repetitions: 1 });
  const [own] = results;
  const other: TrialResult = { ...own!, sandboxDetails: { version: 'other' } };
  const one = summarise(run, plan, [...results, other]);
  t.deepEqual(summarise(run, plan, [other, ...results]), one);
  t.is(one.results.conflicting, 1);
  t.true(one.notes.some(({ code }) => code === 'conflicting-results'));
});

test('summarise leaves results of another run out, and says so', (t) => {
  const { run, plan, results } = makeRun({ repetitions: 1 });
  const foreign: TrialResult = { ...results[0]!, runId: 'another', deviceId: 'agent-9' };
  const summary = summarise(run, plan, [...results, foreign]);
  t.is(summary.results.foreign, 1);
  t.is(summary.results.distinct, results.length);
});

test('summarise does not count a trial that was called off against its sandbox', (t) => {
  const { run, plan, results } = makeRun({ repetitions: 1, functions: ['hello-go'] });
  const changed = results.map((result) =>
    result.trialId === 't0000' ? stoodDown(result) : result,
  );
  const summary = summarise(run, plan, changed);
  t.deepEqual(summary.trials, { planned: 4, done: 3, stoodDown: 1 });
  const cell = summary.cells.find((one) => one.stoodDown > 0);
  t.is(cell?.attempts, 0);
  t.is(cell?.failureRate, undefined);
  t.is(summary.exceptions.length, 3);
});

test('summarise counts a crash as a failure even if the run was cancelled then', (t) => {
  const { run, plan, results } = makeRun({ repetitions: 1, failureRate: 1 });
  const changed = results.map((result): TrialResult => ({
    ...result,
    failure: { code: 'CANCELLED', message: '' },
  }));
  t.true(summarise(run, plan, changed).cells.every(({ stoodDown: count }) => count === 0));
});

test('summarise keeps an invalid result out of the latency, and shows its marks', (t) => {
  const { run, plan, results } = makeRun({ repetitions: 2, invalidRate: 1 });
  const summary = summarise(run, plan, results);
  t.true(summary.cells.every(({ latency, invalid }) => latency === undefined && invalid === 6));
  t.is(summary.exceptions[0]?.marks[0]?.code, 'late-start');
  t.true(summary.notes.some(({ code }) => code === 'invalid-results'));
});

test('summarise of a burst has the batch as its unit and the sandboxes beside it', (t) => {
  const { run, plan, results } = makeRun({
    instances: [1, 8],
    sandboxes: ['process'],
    functions: ['hello-go'],
    repetitions: 7,
    agentsPerHost: [1],
  });
  const { metric, cells } = summarise(run, plan, results);
  const eight = cells.find(({ cell }) => cell.instances === 8);
  t.is(metric, 'makespan');
  t.is(eight?.latency?.n, 7);
  t.is(eight?.instancesReported, 56);
  const { instanceMedianNs = 0, instanceP95Ns = 0, latency } = eight!;
  t.true(instanceMedianNs < instanceP95Ns && instanceP95Ns <= latency!.medianNs);
});

test('summarise of no results has every planned cell, without figures', (t) => {
  const { run, plan } = makeRun({ trialsDone: 0, state: 'failed' });
  const summary = summarise(run, plan, []);
  t.is(summary.cells.length, 8);
  t.true(summary.cells.every((cell) => cell.latency === undefined && cell.attempts === 0));
  t.is(summary.start.spread, undefined);
  t.is(summary.start.boundMaxNs, undefined);
  t.true(summary.notes.some(({ code }) => code === 'no-results'));
});

test('summarise keeps every start of a no-op, whose latency is the lateness', (t) => {
  const { run, plan, results } = makeRun({
    kind: 'no-op',
    sandboxes: ['process'],
    functions: ['hello-go'],
    agentsPerHost: [1],
  });
  const { metric, cells, trials, exceptions } = summarise(run, plan, results);
  t.is(metric, 'lateness');
  t.is(trials.done, 10);
  t.is(exceptions.length, 0);
  t.deepEqual(
    cells[0]?.units.map(({ valueNs }) => valueNs),
    results.map(({ start }) => Number(start!.latenessNs)),
  );
  t.deepEqual(cells[0]?.spans, []);
});

test('summarise of a warm call leaves the wait at the barrier out of the latency', (t) => {
  const { run, plan, results } = makeRun({ kind: 'warm-call', sandboxes: ['process'] });
  const { metric, cells, start } = summarise(run, plan, results);
  t.is(metric, 'warm-call');
  const wait = cells[0]?.spans.find(({ span }) => span === 'ready-call');
  t.true(cells[0]!.latency!.medianNs < wait!.medianNs);
  t.deepEqual(
    start.barriers.map(({ name, passes }) => [name, passes]),
    [['ready', results.length]],
  );
});
