import test from 'ava';
import { dip } from '../../../../coordinator/analysis/statistics/dip.ts';
import { FastRandom } from '../../../../coordinator/analysis/statistics/fast-random.ts';
import { modality, spreadTies } from '../../../../coordinator/analysis/statistics/modality.ts';

/**
 * Dips as the least distance to a unimodal distribution by linear programs, one for each place that
 * the mode can have (scipy 1.17.1, linprog with HiGHS).
 */
const BY_LINEAR_PROGRAM: readonly (readonly [string, number, readonly number[]])[] = [
  [
    // I. J. Good, R. A. Gaskins, "Density estimation and bump-hunting", JASA 75, 1980.
    'silica in 22 chondrites',
    0.08789184952978031,
    [
      20.77, 22.56, 22.71, 22.99, 26.39, 27.08, 27.32, 27.33, 27.57, 27.81, 28.69, 29.36, 30.25,
      31.89, 32.88, 33.23, 33.28, 33.4, 33.52, 33.83, 33.95, 34.82,
    ],
  ],
  [
    // A. Azzalini, A. W. Bowman, "A look at some data on the Old Faithful geyser", 1990.
    '20 eruptions of Old Faithful',
    0.10697258641238583,
    [
      3.6, 1.8, 3.333, 2.283, 4.533, 2.883, 4.7, 3.601, 1.95, 4.35, 1.833, 3.917, 4.2, 1.75, 4.699,
      2.167, 1.751, 4.8, 1.601, 4.25,
    ],
  ],
  ['two groups of five', 0.2375, [1, 1.1, 1.2, 1.3, 1.4, 9, 9.1, 9.2, 9.3, 9.4]],
  ['equal steps, the least there is', 0.05, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]],
  [
    'normal values',
    0.0468475073313783,
    [
      -2.556, -2.02, -1.055, -0.865, -0.668, -0.568, -0.453, -0.391, -0.353, -0.281, -0.239, -0.232,
      -0.216, -0.2, 0.226, 0.418, 0.482, 0.958, 2.041, 3.323,
    ],
  ],
  [
    'two normal groups',
    0.07540892193308539,
    [
      -0.886, -0.505, -0.292, -0.27, -0.244, -0.183, 0.024, 0.541, 0.545, 1.002, 1.172, 1.546,
      1.935, 2.331, 3.04, 4.092, 4.58, 4.67, 4.883, 5.021,
    ],
  ],
];

for (const [name, expected, values] of BY_LINEAR_PROGRAM) {
  test(`dip of ${name} is the least distance to a unimodal distribution`, (t) => {
    const found = dip(Float64Array.from(values).sort());
    t.true(Math.abs(found - expected) < 1e-9, String(found));
    // Mirrored, it is the same.
    const mirrored = dip(Float64Array.from(values, (value) => -value).sort());
    t.true(Math.abs(mirrored - expected) < 1e-9, String(mirrored));
  });
}

/** Size, upper 5 % and 1 % quantile: what `modality` has in its table, simulated anew. */
for (const [size, fivePercent, onePercent] of [
  [20, 0.10513, 0.120624],
  [100, 0.051128, 0.059024],
] as const) {
  test(`the dips of ${size} uniform values exceed the tabled quantiles as often as they should`, (t) => {
    const random = new FastRandom(size);
    let [five, one] = [0, 0];
    for (let round = 0; round < 4000; round += 1) {
      const found = dip(Float64Array.from({ length: size }, () => random.next()).sort());
      if (found > fivePercent) five += 1;
      if (found > onePercent) one += 1;
    }
    // 200 and 40 are expected, with standard deviations of 13.8 and 6.3.
    t.true(Math.abs(five - 200) < 50, String(five));
    t.true(Math.abs(one - 40) < 23, String(one));
  });
}

test('modality raises hardly any false alarm on normal and log-normal values', (t) => {
  const random = new FastRandom(11);
  for (const size of [20, 60, 200]) {
    let alarms = 0;
    for (let round = 0; round < 500; round += 1) {
      const values = Array.from({ length: size }, () => random.nextNormal());
      const shaped = round % 2 === 0 ? values : values.map((value) => Math.exp(value / 2));
      if ((modality(shaped)?.pValue ?? 1) < 0.01) alarms += 1;
    }
    // Uniform values would give 5; these have a clear mode.
    t.true(alarms <= 2, `${size}: ${alarms}`);
  }
});

test('modality raises no alarm on values that a clock rounded', (t) => {
  const random = new FastRandom(12);
  let alarms = 0;
  for (let round = 0; round < 200; round += 1) {
    const values = Array.from({ length: 100 }, () => Math.round(50 + 2 * random.nextNormal()));
    if ((modality(values)?.pValue ?? 1) < 0.01) alarms += 1;
  }
  t.true(alarms <= 2, String(alarms));
});

test('spreadTies keeps single values and the middle of equal ones', (t) => {
  t.deepEqual([...spreadTies(Float64Array.of(1, 2, 2, 4))], [1, 1.875, 2.625, 4]);
  t.deepEqual([...spreadTies(Float64Array.of(1, 5, 6))], [1, 5, 6]);
});

test('modality finds two groups, and says where they are', (t) => {
  const random = new FastRandom(13);
  const values = Array.from(
    { length: 200 },
    (_, index) => (index % 4 === 0 ? 150 : 100) + 5 * random.nextNormal(),
  );
  const found = modality(values);
  t.true((found?.pValue ?? 1) <= 0.001, String(found?.pValue));
  const [low, high] = found!.modes;
  t.true(Math.abs(low.centre - 100) < 2 && Math.abs(high.centre - 150) < 2);
  t.is(low.share, 0.75);
  t.is(high.share, 0.25);
  const often = Array.from({ length: 60 }, () => values).flat();
  t.true((modality(often)?.pValue ?? 1) <= 0.001);
});

test('modality says nothing of few values, or of values that are all alike', (t) => {
  t.is(modality(Array.from({ length: 19 }, (_, index) => index)), undefined);
  t.is(modality(Array.from({ length: 30 }, () => 7)), undefined);
});
