import test from 'ava';
import type { NoteCode } from '../../../coordinator/analysis/run-summary.ts';
import { summarise } from '../../../coordinator/analysis/summary.ts';
import { INVALID_CODES } from '../../../schemas/result.ts';
import type { TrialResult } from '../../../schemas/result.ts';
import { makeRun } from '../../support/run-fixture.ts';
import type { RunFixture, RunFixtureOptions } from '../../support/run-fixture.ts';

const ONE_HOST_EACH: RunFixtureOptions = {
  sandboxes: ['process', 'runc'],
  functions: ['hello-go'],
  agentsPerHost: [1],
};

function codesOf({ run, plan, results }: RunFixture): NoteCode[] {
  return summarise(run, plan, results).notes.map(({ code }) => code);
}

/** Gives the nth trial's only sandbox this time to its first byte. */
function withLatencies(fixture: RunFixture, latencyNsAt: (position: number) => bigint): RunFixture {
  const results = fixture.results.map((result, position): TrialResult => {
    const [instance] = result.instances;
    const request = instance!.phases.request!;
    const firstByte = request + latencyNsAt(position);
    return { ...result, instances: [{ ...instance!, phases: { request, firstByte } }] };
  });
  return { ...fixture, results };
}

test('notes of a sound run on one device are none', (t) => {
  const steady = withLatencies(makeRun({ ...ONE_HOST_EACH, repetitions: 12 }), (position) =>
    BigInt(10_000_000 + ((position * 7919) % 1000)),
  );
  t.deepEqual(codesOf(steady), []);
});

test('notes say that agents of one machine are not independent devices', (t) => {
  const fixture = makeRun({ ...ONE_HOST_EACH, agentsPerHost: [3] });
  const { notes } = summarise(fixture.run, fixture.plan, fixture.results);
  const note = notes.find(({ code }) => code === 'co-located');
  t.regex(note?.message ?? '', /agent-1, agent-2, agent-3 .* not independent devices/);
});

test('notes say when hosts are pooled, and only then', (t) => {
  t.true(codesOf(makeRun({ ...ONE_HOST_EACH, agentsPerHost: [1, 1] })).includes('hosts-pooled'));
  t.false(codesOf(makeRun({ ...ONE_HOST_EACH, agentsPerHost: [2] })).includes('hosts-pooled'));
});

test('notes name the cells with too few values for an interval', (t) => {
  const { run, plan, results } = makeRun({ ...ONE_HOST_EACH, repetitions: 5 });
  const note = summarise(run, plan, results).notes.find(
    ({ code }) => code === 'too-few-repetitions',
  );
  t.true(note?.message.includes('process/hello-go/1 (5)'));
  t.false(codesOf(makeRun({ ...ONE_HOST_EACH, repetitions: 6 })).includes('too-few-repetitions'));
});

test('notes say how a run ended that was not completed, and how far it came', (t) => {
  const { run, plan, results } = makeRun({
    ...ONE_HOST_EACH,
    state: 'interrupted',
    trialsDone: 12,
  });
  const [first] = summarise(run, plan, results).notes;
  t.is(first?.code, 'run-not-completed');
  t.regex(first?.message ?? '', /was interrupted \(COORDINATOR_STOPPED: .*\): 12 of 20 planned/);
});

test('notes count results that an ended run lacks, and do not yet for one that goes on', (t) => {
  const fixture = makeRun({ ...ONE_HOST_EACH, agentsPerHost: [2] });
  const results = fixture.results.slice(1);
  t.true(codesOf({ ...fixture, results }).includes('results-missing'));
  const run = { ...fixture.run, state: 'running' } as const;
  t.false(codesOf({ ...fixture, run, results }).includes('results-missing'));
});

test('notes name skipped cells', (t) => {
  const { run, plan, results } = makeRun({ skipped: 'gvisor' });
  const note = summarise(run, plan, results).notes.find(({ code }) => code === 'skipped-cells');
  t.regex(note?.message ?? '', /^2 cells .*gvisor\/hello-go\/1, gvisor\/hello-node\/1/);
});

test('notes say when one kind of sandbox ran on different set-ups or builds', (t) => {
  const fixture = makeRun(ONE_HOST_EACH);
  const [first, ...rest] = fixture.results;
  const digest = `sha256:${'0'.repeat(64)}`;
  for (const changed of [
    { ...first!, sandboxDetails: { version: '0.9' } },
    { ...first!, functionDigest: digest },
  ]) {
    t.true(codesOf({ ...fixture, results: [changed, ...rest] }).includes('mixed-conditions'));
  }
});

test('notes say that a fixed order can look like a difference', (t) => {
  t.true(codesOf(makeRun({ ...ONE_HOST_EACH, order: 'fixed' })).includes('fixed-order'));
});

test('notes tell a value far out and keep it', (t) => {
  const fixture = withLatencies(
    makeRun({ ...ONE_HOST_EACH, sandboxes: ['process'] }),
    (position) => (position === 4 ? 900_000_000n : BigInt(10_000_000 + ((position * 7919) % 1000))),
  );
  const summary = summarise(fixture.run, fixture.plan, fixture.results);
  const note = summary.notes.find(({ code }) => code === 'outliers');
  t.regex(note?.message ?? '', /t0004 on host-1 900\.0 ms/);
  t.is(summary.cells[0]?.latency?.maxNs, 900_000_000);
});

test('notes tell a latency that rises while the run goes on', (t) => {
  const rising = withLatencies(makeRun({ ...ONE_HOST_EACH, sandboxes: ['process'] }), (position) =>
    BigInt(10_000_000 + position * 10_000),
  );
  t.true(codesOf(rising).includes('drift'));
});

test('notes send a reader from an unknown spread to a mark that exists', (t) => {
  const fixture = makeRun({ ...ONE_HOST_EACH, agentsPerHost: [1, 1], repetitions: 1 });
  const [first, ...rest] = fixture.results;
  const other = { ...first!, clock: { ...first!.clock!, fleetTime: 'another' } };
  const { notes } = summarise(fixture.run, fixture.plan, [other, ...rest]);
  const note = notes.find(({ code }) => code === 'spread-unknown');
  t.regex(note?.message ?? '', /^The spread of 1 common start is unknown/);
  t.true(Object.keys(INVALID_CODES).some((code) => note?.remedy.includes(`marked ${code}:`)));
});

test('notes tell a no-op that came later and later, not slower', (t) => {
  const fixture = makeRun({ ...ONE_HOST_EACH, sandboxes: ['process'], kind: 'no-op' });
  const results = fixture.results.map((result, position): TrialResult => {
    const start = { ...result.start!, latenessNs: BigInt(1000 + 10 * position) };
    return { ...result, start };
  });
  const { notes } = summarise(fixture.run, fixture.plan, results);
  t.regex(notes.find(({ code }) => code === 'drift')?.message ?? '', /became later/);
});

test('notes count an unknown spread by wave, and miss none where a wave is one device', (t) => {
  const inWaves = { ...ONE_HOST_EACH, sandboxes: ['process'], repetitions: 1, waves: 2 } as const;
  const alone = makeRun({ ...inWaves, agentsPerHost: [1, 1] });
  t.false(codesOf(alone).includes('spread-unknown'));
  const pairs = makeRun({ ...inWaves, agentsPerHost: [1, 1, 1, 1] });
  const [first, ...rest] = pairs.results;
  const other = { ...first!, clock: { ...first!.clock!, fleetTime: 'another' } };
  t.true(codesOf({ ...pairs, results: [other, ...rest] }).includes('spread-unknown'));
});
