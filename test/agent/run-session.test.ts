import assert from 'node:assert/strict';
import test from 'ava';
import fc from 'fast-check';
import type { SessionPorts } from '../../agent/run-session.ts';
import { LockstepError } from '../../schemas/errors.ts';
import { PROTOCOL_VERSION } from '../../schemas/protocol.ts';
import type { TrialResult } from '../../schemas/result.ts';
import { LoneDevice } from '../simulation/lone-device.ts';
import type { LoneDeviceOptions, TrialEnd } from '../simulation/lone-device.ts';
import { rejection } from '../support/rejection.ts';

const SECOND_NS = 1_000_000_000n;
const TRIALS = 12;

function codesOf({ result, refusal }: TrialEnd): string[] {
  if (refusal !== undefined) return [refusal.code];
  return result!.invalid.map(({ code }) => code);
}

function step(device: LoneDevice, which: Which, byNs: bigint): void {
  if (which === 'monotonic') device.clock.stepMonotonic(byNs);
  else device.clock.stepWall(byNs);
}

/** True if the trial's bound is a limit of its error. */
function isHonest(device: LoneDevice, { clock, start }: TrialResult): boolean {
  const errorNs = clock!.offsetNs - device.trueOffsetNs(start!.actualMonoNs);
  return errorNs <= clock!.boundNs && -errorNs <= clock!.boundNs;
}

type Which = 'monotonic' | 'wall';
const steps: [Which, bigint][] = [
  ['monotonic', SECOND_NS],
  ['monotonic', -SECOND_NS],
  ['wall', SECOND_NS],
  ['wall', -SECOND_NS],
];

test('an undisturbed trial is ok, without marks, and its bound holds the truth', async (t) => {
  const delaysMs = (probe: number): [number, number] => [0.2 + (probe % 7), 0.1 + (probe % 3)];
  const warp = { offsetNs: -9n * SECOND_NS, driftPpm: 50 };
  const device = await LoneDevice.open({ warp, delaysMs });
  for (let index = 0; index < TRIALS; index += 1) {
    const { result, refusal } = await device.trial(`trial-${index}`);
    t.is(refusal, undefined);
    t.is(result!.status, 'ok');
    t.deepEqual(result!.invalid, []);
    t.true(result!.clock!.bracketed);
    t.true(isHonest(device, result!));
    t.true(result!.start!.latenessNs >= 0n && result!.start!.latenessNs < 1_000_000n);
  }
});

for (const [which, byNs] of steps) {
  const what = `a ${which} clock step of ${byNs / SECOND_NS} s`;

  test(`${what} between arm and go refuses go and stands the trial down`, async (t) => {
    const device = await LoneDevice.open();
    await device.trial('before');
    const { refusal, result } = await device.trial('touched', () => {
      step(device, which, byNs);
    });
    t.is(refusal?.code, 'CLOCK_STEPPED');
    t.is(result, undefined);
    t.deepEqual(device.runner.asked.slice(-2), ['arm', 'standDown']);
    t.deepEqual(codesOf(await device.trial('after')), []);
  });

  for (const hook of ['beforeStart', 'whileGoing'] as const) {
    test(`${what} marks the trial that goes, at ${hook}`, async (t) => {
      const device: LoneDevice = await LoneDevice.open({
        runner: {
          [hook]: (trialId: string) => {
            if (trialId === 'touched') step(device, which, byNs);
          },
        },
      });
      t.deepEqual(codesOf(await device.trial('before')), []);
      t.true(codesOf(await device.trial('touched')).includes('clock-step'));
      t.deepEqual(codesOf(await device.trial('after')), []);
    });
  }

  test(`${what} between two trials marks neither`, async (t) => {
    // With so slow a link the burst after a trial would still serve the next one.
    const device = await LoneDevice.open({ delaysMs: () => [5, 5] });
    t.deepEqual(codesOf(await device.trial('before')), []);
    step(device, which, byNs);
    const after = await device.trial('after');
    t.deepEqual(codesOf(after), [], after.refusal?.message);
    t.true(isHonest(device, after.result!));
  });
}

test('of 12 trials, a clock step at any instant marks exactly the one it touched', async (t) => {
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom<Which[]>('monotonic', 'wall'),
      fc.tuple(fc.bigInt(10n, 2000n), fc.constantFrom(1n, -1n)),
      fc.integer({ min: 0, max: 100_000 }),
      fc.record({ pauseMs: fc.nat(60), delayMs: fc.nat(8) }),
      async (which, [sizeMs, sign], where, { pauseMs, delayMs }) => {
        const delaysMs = (): [number, number] => [delayMs, delayMs / 2];
        // An undisturbed row tells how long it takes; the same row then has the step in it.
        const quiet = await row({ delaysMs }, pauseMs);
        const startNs = quiet[0]!.begunTrueNs;
        const spanNs = quiet.at(-1)!.endedTrueNs - startNs;
        const atTrueNs = startNs + (spanNs * BigInt(where)) / 100_000n;
        const jump = [{ atTrueNs, byNs: sign * sizeMs * 1_000_000n }];
        const warp = which === 'wall' ? { wallSteps: jump } : { monotonicSteps: jump };
        for (const end of await row({ warp, delaysMs }, pauseMs)) {
          const codes = codesOf(end);
          const told = `step at ${atTrueNs}, ${end.trialId}: ${codes.join()}`;
          const isTouched = atTrueNs > end.armedTrueNs && atTrueNs < end.endedTrueNs;
          // During arm's own probes the clock is measured anew, and the trial is not touched.
          const isArming = atTrueNs >= end.begunTrueNs && atTrueNs <= end.armedTrueNs;
          const isMarked = codes.includes('clock-step') || codes.includes('CLOCK_STEPPED');
          if (isTouched) assert.ok(isMarked, told);
          else if (!isArming) assert.deepEqual(codes, [], told);
          else assert.ok(codes.length === 0 || isMarked, told);
        }
      },
    ),
    { numRuns: 150 },
  );
  t.pass();
});

async function row(options: LoneDeviceOptions, pauseMs: number): Promise<TrialEnd[]> {
  const device = await LoneDevice.open(options);
  const ends: TrialEnd[] = [];
  for (let index = 0; index < TRIALS; index += 1) {
    ends.push(await device.trial(`trial-${index}`));
    await device.truth.sleep(pauseMs);
  }
  return ends;
}

test('a bound over the budget is declined with CLOCK_UNSYNCHRONISED and stood down', async (t) => {
  const device = await LoneDevice.open({ delaysMs: () => [1, 5] });
  const error = await rejection(device.arm('wide', { clockBoundBudgetNs: 1_000_000n }));
  t.is(error.code, 'CLOCK_UNSYNCHRONISED');
  t.regex(error.message, /clock bound is 3\.\d+ ms .* budget is 1 ms/);
  t.is(device.runner.asked.at(-1), 'standDown');
  t.deepEqual(codesOf(await device.trial('next')), []);
});

test('no answer to probes at arm is declined with CLOCK_UNSYNCHRONISED', async (t) => {
  const device = await LoneDevice.open();
  device.answersProbes = false;
  t.is((await rejection(device.arm('deaf'))).code, 'CLOCK_UNSYNCHRONISED');
  device.answersProbes = true;
  t.deepEqual(codesOf(await device.trial('next')), []);
});

test('no answer to probes after the trial is the mark clock-unbracketed', async (t) => {
  const device: LoneDevice = await LoneDevice.open({
    runner: {
      whileGoing: (trialId) => {
        if (trialId === 'touched') device.answersProbes = false;
      },
    },
  });
  const touched = await device.trial('touched');
  t.deepEqual(codesOf(touched), ['clock-unbracketed']);
  t.false(touched.result!.clock!.bracketed);
  t.true(isHonest(device, touched.result!));
  device.answersProbes = true;
  t.deepEqual(codesOf(await device.trial('next')), []);
});

test('another clock as fleet time after the trial is the mark clock-changed', async (t) => {
  const device: LoneDevice = await LoneDevice.open({
    runner: {
      whileGoing: (trialId) => {
        if (trialId === 'touched') device.fleetTime = 'timekeeper-2';
      },
    },
  });
  t.deepEqual(codesOf(await device.trial('before')), []);
  t.deepEqual(codesOf(await device.trial('touched')), ['clock-changed']);
  t.deepEqual(codesOf(await device.trial('after')), []);
});

test('go by another clock than was measured is CLOCK_CHANGED, and stood down', async (t) => {
  const device = await LoneDevice.open();
  await device.arm('touched');
  t.is((await rejection(device.go('touched', 'timekeeper-2'))).code, 'CLOCK_CHANGED');
  t.is(device.runner.asked.at(-1), 'standDown');
  await device.arm('next');
  t.deepEqual((await device.go('next', 'timekeeper-1')).invalid, []);
});

test('a start later than the budget is the mark late-start, with its stamp', async (t) => {
  const device: LoneDevice = await LoneDevice.open({
    runner: {
      beforeStart: () => {
        device.truth.nowMonoNs += 60_000_000n;
      },
    },
  });
  await device.arm('late', { latenessBudgetNs: 5_000_000n });
  const { invalid, start } = await device.go('late');
  t.deepEqual(
    invalid.map(({ code }) => code),
    ['late-start'],
  );
  t.true(start!.latenessNs > 5_000_000n);
  t.is(start!.latenessNs, start!.actualMonoNs - start!.targetMonoNs);
});

test('a pause of the measuring process is the mark paused', async (t) => {
  const device = await LoneDevice.open({ runner: { longestPauseNs: 3n * SECOND_NS } });
  t.deepEqual(codesOf(await device.trial('paused')), ['paused']);
});

test('named barriers are passed at the instants that the coordinator names', async (t) => {
  const names: string[] = [];
  const askBarrier: SessionPorts['askBarrier'] = ({ name }) => {
    names.push(name);
    const startAtFleetNs = device.fleetClock.monotonicNs() + 30_000_000n;
    return Promise.resolve({
      protocol: PROTOCOL_VERSION,
      startAtFleetNs,
      fleetTime: 'timekeeper-1',
    });
  };
  const device: LoneDevice = await LoneDevice.open({
    warp: { offsetNs: 5n * SECOND_NS },
    runner: { barriers: ['ready', 'called'] },
    askBarrier,
  });
  const { result } = await device.trial('with-barriers');
  t.is(result!.status, 'ok');
  t.deepEqual(result!.invalid, []);
  t.deepEqual(names, ['ready', 'called']);
  for (const { arrivedMonoNs, targetMonoNs, actualMonoNs } of result!.barriers) {
    t.true(arrivedMonoNs < targetMonoNs && targetMonoNs <= actualMonoNs);
  }
});

test('a clock step while the trial waits at a barrier fails it with CLOCK_STEPPED', async (t) => {
  const device: LoneDevice = await LoneDevice.open({
    runner: { barriers: ['ready'] },
    askBarrier: () => {
      device.clock.stepWall(SECOND_NS);
      const startAtFleetNs = device.fleetClock.monotonicNs() + 30_000_000n;
      const fleetTime = 'timekeeper-1';
      return Promise.resolve({ protocol: PROTOCOL_VERSION, startAtFleetNs, fleetTime });
    },
  });
  const { result } = await device.trial('stepped');
  t.is(result!.status, 'failed');
  t.is(result!.failure?.code, 'CLOCK_STEPPED');
});

test('a barrier that is given up fails the trial with its reason', async (t) => {
  const device = await LoneDevice.open({
    runner: { barriers: ['ready'] },
    askBarrier: () => Promise.reject(new LockstepError('BARRIER_BROKEN', 'device b will not come')),
  });
  const { result } = await device.trial('broken');
  t.is(result!.status, 'failed');
  t.is(result!.failure?.code, 'BARRIER_BROKEN');
  t.deepEqual(codesOf(await device.trial('next')), []);
});
