import test from 'ava';
import { rankCorrelation } from '../../../coordinator/analysis/rank-correlation.ts';

test('rankCorrelation is 1 for any rise and -1 for any fall', (t) => {
  t.is(
    rankCorrelation([
      [1, 1],
      [2, 10],
      [3, 100],
    ]),
    1,
  );
  t.is(
    rankCorrelation([
      [1, 9],
      [2, 4],
      [3, 1],
    ]),
    -1,
  );
});

test('rankCorrelation follows 1 - 6 sum d^2 / n(n^2-1) where there are no ties', (t) => {
  // Ranks of the second: 3, 1, 4, 2, 5; d^2 = 4, 1, 1, 4, 0; 1 - 60/120 = 0.5.
  const rho = rankCorrelation([
    [1, 30],
    [2, 10],
    [3, 40],
    [4, 20],
    [5, 50],
  ]);
  t.true(Math.abs((rho ?? 0) - 0.5) < 1e-12);
});

test('rankCorrelation is absent where one side does not vary or pairs are too few', (t) => {
  t.is(
    rankCorrelation([
      [1, 5],
      [2, 5],
      [3, 5],
    ]),
    undefined,
  );
  t.is(
    rankCorrelation([
      [1, 5],
      [2, 6],
    ]),
    undefined,
  );
});
