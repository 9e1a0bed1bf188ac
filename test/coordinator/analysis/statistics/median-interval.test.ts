import assert from 'node:assert/strict';
import test from 'ava';
import fc from 'fast-check';
import { quantileInterval } from '../../../../coordinator/analysis/statistics/quantile-interval.ts';

// The interval of the median, against the exact binomial and the tables of the sign test.

const medianInterval = (values: readonly number[]) => quantileInterval(values, 0.5);

/** 1 to n: a value is its own rank. */
function ranks(n: number): number[] {
  return Array.from({ length: n }, (_, index) => index + 1);
}

/** Exact by Pascal's triangle in big integers: P(B <= below), B ~ Binomial(n, 1/2). */
function exactTail(n: number, below: number): number {
  let row = [1n];
  for (let size = 0; size < n; size += 1) {
    row = [1n, ...row.slice(1).map((value, index) => value + (row[index] ?? 0n)), 1n];
  }
  const sum = row.slice(0, below + 1).reduce((a, b) => a + b, 0n);
  return Number((sum * 10n ** 15n) / 2n ** BigInt(n)) / 1e15;
}

/** n, rank below, rank above, coverage: as in tables of the sign test's interval. */
const TABLED: readonly (readonly [number, number, number, number])[] = [
  [6, 1, 6, 0.96875],
  [8, 1, 8, 0.99219],
  [9, 2, 8, 0.96094],
  [10, 2, 9, 0.97852],
  [20, 6, 15, 0.95861],
  [30, 10, 21, 0.95723],
  [100, 40, 61, 0.9648],
];

for (const [n, lower, upper, coverage] of TABLED) {
  test(`quantileInterval of the median of ${n} values has the tabled ranks and coverage`, (t) => {
    const interval = medianInterval(ranks(n));
    t.is(interval?.lower, lower);
    t.is(interval?.upper, upper);
    t.true(Math.abs((interval?.coverage ?? 0) - coverage) < 5e-5, String(interval?.coverage));
  });
}

test('quantileInterval of the median is absent for fewer than 6 values', (t) => {
  for (let n = 0; n < 6; n += 1) t.is(medianInterval(ranks(n)), undefined);
});

test('quantileInterval of the median has the exact coverage of the binomial, and the next pair would not do', (t) => {
  for (let n = 6; n <= 80; n += 1) {
    const interval = medianInterval(ranks(n));
    assert(interval !== undefined);
    assert(Math.abs(interval.coverage - (1 - 2 * exactTail(n, interval.lower - 1))) < 1e-12);
    assert.equal(interval.lower + interval.upper, n + 1);
    assert(interval.coverage >= 0.95);
    const inner = 1 - 2 * exactTail(n, interval.lower);
    assert(inner < 0.95 || interval.lower + 1 > n / 2);
  }
  t.pass();
});

test('quantileInterval of the median holds for more values than 2^-n can be told for', (t) => {
  const interval = medianInterval(ranks(5000));
  // The normal approximation n/2 +- 1.96 sqrt(n)/2 gives 2430.7 and 2570.3.
  t.true(Math.abs((interval?.lower ?? 0) - 2431) <= 1);
  t.true((interval?.coverage ?? 0) >= 0.95 && (interval?.coverage ?? 1) < 0.952);
});

test('quantileInterval of the median does not depend on the order of the values', (t) => {
  fc.assert(
    fc.property(fc.array(fc.integer(), { minLength: 6, maxLength: 40 }), (values) => {
      assert.deepEqual(medianInterval(values), medianInterval(values.toReversed()));
    }),
  );
  t.pass();
});
