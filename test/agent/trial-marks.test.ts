import assert from 'node:assert/strict';
import test from 'ava';
import fc from 'fast-check';
import { marksOf } from '../../agent/trial-marks.ts';
import type { TrialSigns } from '../../agent/trial-marks.ts';
import { INVALID_CODES, InvalidMark } from '../../schemas/result.ts';
import type { InvalidCode } from '../../schemas/result.ts';

const MS = 1_000_000n;
const BUDGET = { latenessBudgetNs: 5n * MS, clockBoundBudgetNs: 2n * MS };

/** What a trial looks like that nothing disturbed. */
const QUIET: TrialSigns = {
  latenessNs: 20_000n,
  boundNs: 100_000n,
  longestPauseNs: 3n * MS,
  stepNs: 0n,
  barriers: [],
  leftovers: [],
  clockMarks: [],
};

function codes(signs: Partial<TrialSigns>): InvalidCode[] {
  return marksOf(BUDGET, { ...QUIET, ...signs }).map(({ code }) => code);
}

function barrier(name: string, lateNs: bigint): TrialSigns['barriers'][number] {
  return { name, arrivedMonoNs: 1n, targetMonoNs: 100n * MS, actualMonoNs: 100n * MS + lateNs };
}

test('a trial that nothing disturbed has no mark', (t) => {
  t.deepEqual(codes({}), []);
});

test('each disturbance has a mark of its own', (t) => {
  t.deepEqual(codes({ latenessNs: 6n * MS }), ['late-start']);
  t.deepEqual(codes({ barriers: [barrier('ready', 6n * MS)] }), ['late-barrier']);
  t.deepEqual(codes({ boundNs: 3n * MS }), ['clock-bound']);
  t.deepEqual(codes({ stepNs: -1000n * MS }), ['clock-step']);
  t.deepEqual(codes({ longestPauseNs: 3000n * MS }), ['paused']);
  t.deepEqual(codes({ leftovers: ['cgroup a', 'mount b'] }), ['leftover']);
});

test('what is exactly at the budget is within it', (t) => {
  t.deepEqual(codes({ latenessNs: 5n * MS, boundNs: 2n * MS }), []);
  t.deepEqual(codes({ barriers: [barrier('ready', 5n * MS)] }), []);
  t.deepEqual(codes({ latenessNs: 5n * MS + 1n }), ['late-start']);
  t.deepEqual(codes({ boundNs: 2n * MS + 1n }), ['clock-bound']);
});

test('a mark says what was seen and what the budget is', (t) => {
  const [late] = marksOf(BUDGET, { ...QUIET, latenessNs: 61_200_000n });
  t.is(late?.message, 'started 61.2 ms late; the budget is 5 ms');
  const late2 = [barrier('ready', 0n), barrier('called', 7n * MS)];
  const [second, ...others] = marksOf(BUDGET, { ...QUIET, barriers: late2 });
  t.is(second?.message, 'went on from barrier called 7 ms late; the budget is 5 ms');
  t.deepEqual(others, []);
});

test('a step that the probes found already is marked once', (t) => {
  const stepped = { code: 'clock-step', message: 'the bursts contradict each other' } as const;
  t.deepEqual(codes({ stepNs: 1000n * MS, clockMarks: [stepped] }), ['clock-step']);
  const unbracketed = { code: 'clock-unbracketed', message: 'no answer' } as const;
  t.deepEqual(codes({ stepNs: 1000n * MS, clockMarks: [unbracketed] }), [
    'clock-unbracketed',
    'clock-step',
  ]);
});

test('marks do not hide each other', (t) => {
  const all = codes({
    latenessNs: 6n * MS,
    barriers: [barrier('ready', 6n * MS)],
    boundNs: 3n * MS,
    stepNs: 1000n * MS,
    longestPauseNs: 3000n * MS,
    leftovers: ['cgroup a'],
    clockMarks: [
      { code: 'clock-unbracketed', message: 'no answer' },
      { code: 'clock-changed', message: 'another clock' },
    ],
  });
  // Those that only an import or a procedure can find.
  const others = (Object.keys(INVALID_CODES) as InvalidCode[]).filter(
    (code) => code !== 'duplicated-row' && code !== 'page-cache',
  );
  t.deepEqual(all.toSorted(), others.toSorted());
});

test('every mark can be sent, however much is left over', (t) => {
  const sizes = fc.bigInt(-(10n ** 15n), 10n ** 15n);
  const leftovers = fc.array(fc.string({ maxLength: 400 }), { maxLength: 20 });
  fc.assert(
    fc.property(sizes, sizes, sizes, leftovers, (latenessNs, boundNs, stepNs, left) => {
      const signs = { ...QUIET, latenessNs, boundNs, stepNs, leftovers: left };
      for (const mark of marksOf(BUDGET, signs)) assert.ok(InvalidMark.safeParse(mark).success);
    }),
  );
  t.pass();
});
