import fc from 'fast-check';
import test from 'ava';
import { spreadOf } from '../../../agent/selftest/spread.ts';
import { TrialTally } from '../../../agent/selftest/trial-tally.ts';
import { coldStartIn, furtherTrialsIn } from '../../../agent/selftest/trial-plan.ts';
import type { RunnerResult } from '../../../agent/runner/protocol.ts';
import { LockstepError } from '../../../schemas/errors.ts';
import { SandboxName } from '../../../schemas/sandbox.ts';
import { SelftestTrials } from '../../../schemas/selftest.ts';

type Outcome = RunnerResult<'start'>;

const WELL: Outcome = {
  ...{ actualMonoNs: 0n, startedAtUtcNs: 0n, longestPauseNs: 0n, barriers: [], finals: [] },
  ...{ leftovers: [], measurements: [{ measure: 'call.duration', value: 7 }] },
  conditions: { coldness: 'cold' },
  instances: [
    {
      ...{ index: 0, address: '10.0.0.2', status: 'ok' },
      phases: { request: 1_000_000n, ready: 3_000_000n, lastByte: 6_500_000n },
    },
  ],
};

const FAILED: Outcome = {
  ...WELL,
  measurements: [],
  instances: [
    {
      ...{ index: 0, address: '10.0.0.2', status: 'failed', logTail: 'one\nit has no memory\n' },
      phases: { request: 0n },
      failure: { code: 'FUNCTION_CRASHED', message: 'the sandbox ended' },
    },
  ],
};

test('the spread of values is their median, least and most', (t) => {
  t.is(spreadOf([]), undefined);
  t.deepEqual(spreadOf([4]), { count: 1, median: 4, minimum: 4, maximum: 4 });
  t.deepEqual(spreadOf([9, 1, 4]), { count: 3, median: 4, minimum: 1, maximum: 9 });
  t.deepEqual(spreadOf([10, 9, 1, 4]), { count: 4, median: 6.5, minimum: 1, maximum: 10 });
  fc.assert(
    fc.property(fc.array(fc.double({ noNaN: true, min: 0, max: 1e15 })), (values) => {
      const spread = spreadOf(values);
      if (spread === undefined) return values.length === 0;
      const most = values.filter((value) => value <= spread.median).length;
      return spread.minimum <= spread.maximum && most * 2 >= values.length;
    }),
  );
});

test('trials that went well are counted, with their times and what they measured', (t) => {
  const tally = new TrialTally(coldStartIn('runc'));
  t.is(tally.result().result, 'not-run');
  tally.add(WELL, 20);
  tally.add(WELL, 30);
  const result = SelftestTrials.parse(tally.result());
  t.like(result, { procedure: 'cold-start', result: 'pass', trials: 2, failed: 0, durationMs: 50 });
  t.deepEqual(result.toReadyMs, { count: 2, median: 2, minimum: 2, maximum: 2 });
  t.is(result.toResponseMs?.median, 5.5);
  t.is(result.measurements?.['call.duration']?.count, 2);
  t.deepEqual(result.conditions, { coldness: 'cold' });
  t.is(result.failure, undefined);
});

test('the first failure is kept, with the last that was printed', (t) => {
  const tally = new TrialTally(coldStartIn('runc'));
  tally.add(FAILED, 20);
  tally.add({ ...WELL, leftovers: ['cgroup a', 'mount b'] }, 20);
  tally.fail(new LockstepError('DEADLINE_EXCEEDED', 'no answer'), 20);
  const result = SelftestTrials.parse(tally.result());
  t.like(result, { result: 'fail', trials: 3, failed: 3 });
  t.is(result.failure?.message, 'the sandbox ended; it printed: it has no memory');

  const leaving = new TrialTally(coldStartIn('runc'));
  leaving.add({ ...WELL, leftovers: ['cgroup a', 'mount b'] }, 20);
  t.is(leaving.result().failure?.message, 'it left cgroup a; mount b');
});

test('every kind of sandbox has procedures that it can carry', (t) => {
  for (const sandbox of SandboxName.options) {
    const kinds = furtherTrialsIn(sandbox, { hasLoadGenerator: false }).map(
      ({ procedure }) => procedure.kind,
    );
    t.true(kinds.includes('churn'), sandbox);
    const computes = sandbox !== 'wasi' && sandbox !== 'workerd';
    t.is(kinds.includes('compute'), computes, sandbox);
    t.false(kinds.includes('throughput'));
    const all = furtherTrialsIn(sandbox, { hasLoadGenerator: true });
    t.is(all.length, kinds.length + 2);
  }
});
