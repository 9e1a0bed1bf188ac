import test from 'ava';
import { wilsonInterval } from '../../../coordinator/analysis/wilson-interval.ts';

/**
 * Events, n, lower and upper end: R. G. Newcombe, "Two-sided confidence intervals for the single
 * proportion", Statistics in Medicine 17, 1998, table I, method 3.
 */
const PUBLISHED: readonly (readonly [number, number, number, number])[] = [
  [81, 263, 0.2553, 0.3662],
  [15, 148, 0.0624, 0.1605],
  [0, 20, 0, 0.1611],
  [1, 29, 0.0061, 0.1718],
];

for (const [events, n, lower, upper] of PUBLISHED) {
  test(`wilsonInterval of ${events} of ${n} is as published`, (t) => {
    const interval = wilsonInterval(events, n);
    t.is(Number(interval?.lower.toFixed(4)), lower);
    t.is(Number(interval?.upper.toFixed(4)), upper);
  });
}

test('wilsonInterval of nothing failed begins at 0 and of all failed ends at 1, exactly', (t) => {
  t.is(wilsonInterval(0, 7)?.lower, 0);
  t.is(wilsonInterval(7, 7)?.upper, 1);
  t.true((wilsonInterval(7, 7)?.lower ?? 1) < 1);
});

test('wilsonInterval is absent without attempts', (t) => {
  t.is(wilsonInterval(0, 0), undefined);
});
