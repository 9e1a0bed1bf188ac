import test from 'ava';
import { stopRuleNotes, stopRuleText } from '../../../coordinator/analysis/stop-rule-notes.ts';
import type { Stopped } from '../../../schemas/look.ts';

const EXPERIMENT = {
  repetitions: 80,
  until: { of: 'median' as const, halfWidthPercent: 5, looks: [10, 20, 40] },
};
const fine = { cellId: 'a', n: 20, estimateNs: 1, halfWidthPercent: 4, isPrecise: true };
const wide = { ...fine, halfWidthPercent: 9, isPrecise: false, repetitionsNeeded: 259 };

const stopped = (rule: Stopped['rule'], cells: Stopped['cells']): Stopped => ({
  rule,
  repetitions: 80,
  reason: 'The reason.',
  cells,
});

test('stopRuleNotes says nothing of a run without a rule', (t) => {
  t.deepEqual(stopRuleNotes({ repetitions: 5 }, undefined), []);
});

test('stopRuleNotes informs of an early end, and warns if the precision was not reached', (t) => {
  const [early] = stopRuleNotes(EXPERIMENT, stopped('precise', [fine]));
  t.like(early, { code: 'stopped-early', level: 'information', message: 'The reason.' });
  t.regex(early?.remedy ?? '', /covers 98\.4 %/);
  const [open] = stopRuleNotes(EXPERIMENT, stopped('maximum', [fine, wide]));
  t.like(open, { code: 'not-precise', level: 'warning' });
  t.regex(open?.remedy ?? '', /^Write repetitions: 260 or more; or be content/);
});

test('stopRuleNotes tells a time limit that was in the way from one that was not', (t) => {
  const codes = [[], [fine], [wide]].map(
    (cells) => stopRuleNotes(EXPERIMENT, stopped('time-limit', cells))[0]?.code,
  );
  t.deepEqual(codes, ['stopped-early', 'stopped-early', 'not-precise']);
});

test('stopRuleNotes does not ask for more repetitions where values are lacking', (t) => {
  const few = { cellId: 'a', n: 0, isPrecise: false };
  const [note] = stopRuleNotes(EXPERIMENT, stopped('maximum', [few]));
  t.regex(note?.remedy ?? '', /See why values are invalid or missing/);
});

test('stopRuleText says rule, looks and coverage', (t) => {
  t.is(stopRuleText({ repetitions: 80 }), undefined);
  t.is(
    stopRuleText({ ...EXPERIMENT, until: { ...EXPERIMENT.until, timeLimitMinutes: 60 } }),
    'when the median of every cell is known to ±5 %, looked at 4 times, after 10, 20, 40, 80 ' +
      'repetitions. Each interval covers 98.4 %, so that all looks together keep 95 % (Pocock, ' +
      'Biometrika 64, 1977); or after the repetition in which 60 minutes are over; or after 80 ' +
      'repetitions. Always after whole repetitions and for all cells together',
  );
  t.is(
    stopRuleText({ repetitions: 80, until: { of: 'median', timeLimitMinutes: 60 } }),
    'after the repetition in which 60 minutes are over; or after 80 repetitions. Always after ' +
      'whole repetitions and for all cells together',
  );
});
