import test from 'ava';
import { autocorrelation } from '../../../../coordinator/analysis/statistics/autocorrelation.ts';
import { FastRandom } from '../../../../coordinator/analysis/statistics/fast-random.ts';
import { outerFences } from '../../../../coordinator/analysis/statistics/fences.ts';
import { kruskalWallis } from '../../../../coordinator/analysis/statistics/kruskal-wallis.ts';

test('kruskalWallis agrees with scipy.stats.kruskal', (t) => {
  // Hollander & Wolfe 1973, table 6.1: half-time of mucociliary clearance; scipy 1.17.1.
  const published = [
    [2.9, 3, 2.5, 2.6, 3.2],
    [3.8, 2.7, 4, 2.4],
    [2.8, 3.4, 3.7, 2.2, 2],
  ];
  t.is(kruskalWallis(published)?.toFixed(9), (0.6799647735788936).toFixed(9));
  const tied = [
    [27, 2, 4, 18, 7, 9],
    [20, 8, 14, 36, 21, 22],
    [34, 31, 3, 23, 30, 6],
  ];
  t.is(kruskalWallis(tied)?.toFixed(9), (0.240051790590007).toFixed(9));
});

test('kruskalWallis says nothing of one group, or of equal values', (t) => {
  t.is(kruskalWallis([[1, 2, 3], [4]]), undefined);
  t.is(
    kruskalWallis([
      [1, 1, 1],
      [1, 1, 1],
    ]),
    undefined,
  );
});

test('autocorrelation holds its level on independent values', (t) => {
  const random = new FastRandom(21);
  for (const size of [15, 60]) {
    let alarms = 0;
    for (let round = 0; round < 2000; round += 1) {
      const series = Array.from({ length: size }, () => Math.exp(random.nextNormal()));
      if ((autocorrelation(series)?.pValue ?? 1) < 0.05) alarms += 1;
    }
    // 100 are expected, with a standard deviation of 9.7.
    t.true(alarms > 60 && alarms < 135, `${size}: ${alarms}`);
  }
});

test('autocorrelation of a slow series tells how few independent values it is worth', (t) => {
  const random = new FastRandom(22);
  let level = 0;
  const series = Array.from({ length: 2000 }, () => {
    level = 0.6 * level + random.nextNormal();
    return level;
  });
  const found = autocorrelation(series)!;
  t.true(Math.abs(found.lag1 - 0.6) < 0.06, String(found.lag1));
  t.true(found.pValue < 1e-6);
  // (1 - 0.6) / (1 + 0.6) of 2000.
  t.true(Math.abs(found.effectiveSize - 500) < 90, String(found.effectiveSize));
});

test('outerFences call hardly any normal or log-normal value far out', (t) => {
  const random = new FastRandom(23);
  let [values, alarms] = [0, 0];
  for (let round = 0; round < 400; round += 1) {
    const sample = Array.from({ length: 100 }, () =>
      round % 2 === 0 ? 100 + 10 * random.nextNormal() : Math.exp(random.nextNormal() / 2),
    );
    const fences = outerFences(sample)!;
    values += sample.length;
    alarms += sample.filter((value) => value < fences.lower || value > fences.upper).length;
  }
  // Beyond 4.7 standard deviations lie 2 of a million; quartiles of 100 values add some.
  t.true(alarms <= values / 4000, `${alarms} of ${values}`);
});

test('outerFences of values that are not all positive are those of the values themselves', (t) => {
  // Quartiles of -5 to 5 are -2.5 and 2.5.
  const fences = outerFences(Array.from({ length: 11 }, (_, index) => index - 5));
  t.deepEqual(fences, { lower: -17.5, upper: 17.5 });
  t.is(outerFences([1, 2, 3]), undefined);
});
