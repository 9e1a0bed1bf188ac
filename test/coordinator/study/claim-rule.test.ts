import test from 'ava';
import fc from 'fast-check';
import {
  bandOf,
  judgeAll,
  judgeLimit,
  judgeRatio,
  judgeSpread,
} from '../../../coordinator/study/claim-rule.ts';
import type { ClaimVerdict } from '../../../coordinator/study/claim-rule.ts';

const verdict = (published: number, lower: number, upper: number): ClaimVerdict =>
  judgeRatio(published, {
    ratio: Math.sqrt(lower * upper),
    interval: { lower, upper, coverage: 0.95 },
  }).verdict;

test('a band is a factor of 1.5 to both sides, and ends at 1', (t) => {
  t.deepEqual(bandOf(3), { lower: 2, upper: 4.5 });
  t.deepEqual(bandOf(1.2), { lower: 1, upper: 1.2 * 1.5 });
  t.deepEqual(bandOf(0.3), { lower: 0.3 / 1.5, upper: 0.3 * 1.5 });
  t.deepEqual(bandOf(0.8), { lower: 0.8 / 1.5, upper: 1 });
});

test('the ends of a band belong to it', (t) => {
  t.is(verdict(3, 2, 4.5), 'reproduced');
  t.is(verdict(3, 1.999, 4.5), 'not-measurable');
  t.is(verdict(3, 2, 4.501), 'not-measurable');
  t.is(verdict(3, 4.5, 5), 'not-measurable');
  t.is(verdict(3, 4.501, 5), 'not-reproduced');
  t.is(verdict(3, 1.5, 2), 'not-measurable');
  t.is(verdict(3, 1.5, 1.999), 'not-reproduced');
});

test('an end that is 1 does not belong: it names no direction', (t) => {
  t.is(verdict(1.2, 1.001, 1.5), 'reproduced');
  t.is(verdict(1.2, 1, 1.5), 'not-measurable');
  t.is(verdict(1.2, 0.8, 1), 'not-reproduced');
  t.is(verdict(0.8, 0.7, 0.999), 'reproduced');
  t.is(verdict(0.8, 0.7, 1), 'not-measurable');
  t.is(verdict(0.8, 1, 1.2), 'not-reproduced');
});

test('what is not reproduced says whether the direction agrees', (t) => {
  const off = (lower: number, upper: number): string =>
    judgeRatio(3, { ratio: lower, interval: { lower, upper, coverage: 0.95 } }).why;
  t.regex(off(8, 9), /outside 2 to 4\.5: the direction agrees, the size does not$/);
  t.regex(off(0.2, 0.3), /another direction$/);
  t.regex(off(0.9, 1.1), /another direction$/);
});

test('without an interval nothing is judged', (t) => {
  t.is(judgeRatio(3, undefined).verdict, 'not-measurable');
  const { verdict: open, why } = judgeRatio(3, { ratio: 3 });
  t.is(open, 'not-measurable');
  t.regex(why, /fewer than 5 values/);
});

test('a ratio and its inverse are judged alike', (t) => {
  const ratio = fc.double({ min: 0.01, max: 100, noNaN: true });
  fc.assert(
    fc.property(ratio, ratio, ratio, (published, first, second) => {
      if (published === 1) return;
      const [lower, upper] = [Math.min(first, second), Math.max(first, second)];
      // Where an end touches a border, rounding decides.
      const band = bandOf(published);
      const near = (a: number, b: number): boolean => Math.abs(a / b - 1) < 1e-9;
      if ([lower, upper].some((end) => near(end, band.lower) || near(end, band.upper))) return;
      t.is(verdict(published, lower, upper), verdict(1 / published, 1 / upper, 1 / lower));
    }),
  );
});

const pair = (lower: number, upper: number) => ({
  names: ['a', 'b'] as const,
  ratio: { ratio: Math.sqrt(lower * upper), interval: { lower, upper, coverage: 0.995 } },
});

test('targets are alike if each pair is within 4 %', (t) => {
  t.is(judgeSpread([pair(1 / 1.04, 1.04), pair(0.99, 1.01)], []).verdict, 'reproduced');
  t.is(judgeSpread([pair(0.99, 1.0401)], []).verdict, 'not-measurable');
  t.is(judgeSpread([pair(1.04, 1.1)], []).verdict, 'not-measurable');
  t.is(judgeSpread([pair(1.0401, 1.1)], []).verdict, 'not-reproduced');
  t.is(judgeSpread([pair(0.9, 1 / 1.0401)], []).verdict, 'not-reproduced');
});

test('all targets are needed to say that all are alike, one pair to say that they are not', (t) => {
  t.is(judgeSpread([pair(0.99, 1.01)], ['osv: not here']).verdict, 'not-measurable');
  t.is(judgeSpread([pair(0.99, 1.01), pair(2, 3)], ['osv: not here']).verdict, 'not-reproduced');
  t.is(judgeSpread([{ names: ['a', 'b'], ratio: { ratio: 2 } }], []).verdict, 'not-measurable');
});

test('a limit needs five trials that agree', (t) => {
  t.is(judgeLimit(128, [128, 128, 128, 128]).verdict, 'not-measurable');
  t.is(judgeLimit(128, [128, 128, 128, 128, 128]).verdict, 'reproduced');
  t.is(judgeLimit(128, [128, 128, 128, 128, 64]).verdict, 'not-measurable');
  t.is(judgeLimit(128, [64, 64, 256, 64, 64]).verdict, 'not-reproduced');
});

test('a claim is reproduced if all of its parts are', (t) => {
  t.is(judgeAll(['reproduced', 'reproduced']), 'reproduced');
  t.is(judgeAll(['reproduced', 'not-measurable']), 'not-measurable');
  t.is(judgeAll(['not-measurable', 'not-reproduced', 'reproduced']), 'not-reproduced');
  t.is(judgeAll([]), 'not-measurable');
});
