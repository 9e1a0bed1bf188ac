import test from 'ava';
import { normalCdf, normalQuantile } from '../../../../coordinator/analysis/statistics/normal.ts';

// Values of Abramowitz & Stegun, table 26.1, and of R's pnorm and qnorm, to their printed digits.
const CDF = [
  [0, 0.5],
  [1, 0.841344746068543],
  [1.96, 0.97500210485178],
  [3, 0.99865010196837],
  [-1, 0.158655253931457],
  [-3, 0.00134989803163009],
  [-5, 2.86651571879194e-7],
] as const;

for (const [value, expected] of CDF) {
  test(`normalCdf agrees with the tables at ${value}`, (t) => {
    t.true(Math.abs(normalCdf(value) / expected - 1) < 1e-12, String(normalCdf(value)));
  });
}

const QUANTILES = [
  [0.975, 1.95996398454005],
  [0.95, 1.64485362695147],
  [0.9, 1.2815515655446],
  [0.01, -2.32634787404084],
  [1e-6, -4.7534243088229],
] as const;

for (const [probability, expected] of QUANTILES) {
  test(`normalQuantile agrees with the tables at ${probability}`, (t) => {
    const found = normalQuantile(probability);
    t.true(Math.abs(found / expected - 1) < 1e-12, String(found));
  });
}

test('normalQuantile is infinite at the ends, and refuses what is no probability', (t) => {
  t.is(normalQuantile(0), -Infinity);
  t.is(normalQuantile(1), Infinity);
  t.is(normalQuantile(0.5), 0);
  for (const wrong of [-0.1, 1.1, Number.NaN]) t.throws(() => normalQuantile(wrong));
});
