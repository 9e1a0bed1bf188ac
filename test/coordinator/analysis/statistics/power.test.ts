import test from 'ava';
import { FastRandom } from '../../../../coordinator/analysis/statistics/fast-random.ts';
import {
  detectableAdvantage,
  noetherSize,
  Pilot,
} from '../../../../coordinator/analysis/statistics/power.ts';
import { quantileInterval } from '../../../../coordinator/analysis/statistics/quantile-interval.ts';
import { rankSumTest } from '../../../../coordinator/analysis/statistics/rank-sum-test.ts';
import { sortedQuantile } from '../../../../coordinator/analysis/statistics/sorted-quantile.ts';

type Draw = (random: FastRandom) => number;

const NORMAL: Draw = (random) => 100 + 10 * random.nextNormal();
const LOG_NORMAL: Draw = (random) => 100 * Math.exp(0.5 * random.nextNormal());
const BIMODAL: Draw = (random) => (random.next() < 0.25 ? 150 : 100) + 5 * random.nextNormal();

const MEDIAN = { probability: 0.5, coverage: 0.95 };
const AIM = { power: 0.8, level: 0.05 };

const sample = (draw: Draw, size: number, random: FastRandom): number[] =>
  Array.from({ length: size }, () => draw(random));

test("noetherSize gives the published size for Noether's formula", (t) => {
  // 44 a group: the documented example of size.test.mann in the R package statpsych 1.4.
  t.is(noetherSize(0.3, { power: 0.9, level: 0.05 }), 44);
  t.is(noetherSize(0.7, { power: 0.9, level: 0.05 }), 44);
  t.is(noetherSize(0.5, AIM), undefined);
});

test('detectableAdvantage is the inverse of noetherSize', (t) => {
  for (const size of [10, 44, 300]) {
    t.is(noetherSize(detectableAdvantage(size, AIM) + 1e-9, AIM), size);
  }
});

const reaches = test.macro({
  exec(t, draw: Draw, probability: number, wanted: number) {
    const random = new FastRandom(21);
    const aim = { probability, coverage: 0.984 };
    const size = new Pilot(sample(draw, 4000, random)).sizeForHalfWidth(wanted, aim) ?? 0;
    const widths = Float64Array.from({ length: 400 }, () => {
      const values = sample(draw, size, random);
      const interval = quantileInterval(values, probability, aim.coverage);
      const estimate = sortedQuantile(Float64Array.from(values).sort(), probability);
      return ((interval?.upper ?? NaN) - (interval?.lower ?? NaN)) / 2 / estimate;
    }).sort();
    const typical = sortedQuantile(widths, 0.5);
    t.true(Math.abs(typical / wanted - 1) < 0.1, `n ${size}: ${typical}, wanted ${wanted}`);
  },
  title: (name) => `sizeForHalfWidth: the interval is as wide as planned, ${name ?? ''}`,
});
test('median of normal values', reaches, NORMAL, 0.5, 0.03);
test('median of log-normal values', reaches, LOG_NORMAL, 0.5, 0.1);
test('median of bimodal values', reaches, BIMODAL, 0.5, 0.015);
test('95th percentile of log-normal values', reaches, LOG_NORMAL, 0.95, 0.2);

const finds = test.macro({
  exec(t, draw: Draw, size: number, power: number) {
    const random = new FastRandom(22);
    const aim = { power, level: 0.016 };
    const pilot = new Pilot(sample(draw, 1000, random));
    const ratio = pilot.detectableRatio(size, aim) ?? NaN;
    const runs = 1500;
    let found = 0;
    for (let run = 0; run < runs; run += 1) {
      const before = sample(draw, size, random);
      const after = sample(draw, size, random).map((value) => ratio * value);
      if ((rankSumTest(before, after) ?? 1) <= aim.level) found += 1;
    }
    t.true(Math.abs(found / runs - power) < 0.06, `ratio ${ratio}: power ${found / runs}`);
    const back = pilot.sizeToDetect(ratio, aim) ?? 0;
    t.true(Math.abs(back / size - 1) < 0.05, `${back} and ${size} values are the same`);
  },
  title: (name) => `detectableRatio: the difference is found as often as planned, ${name ?? ''}`,
});
test('40 normal values at 80 %', finds, NORMAL, 40, 0.8);
test('60 log-normal values at 90 %', finds, LOG_NORMAL, 60, 0.9);
test('60 bimodal values at 80 %', finds, BIMODAL, 60, 0.8);

test('a pilot plans the same for values in other units', (t) => {
  const values = sample(LOG_NORMAL, 40, new FastRandom(23));
  const [plain, scaled] = [new Pilot(values), new Pilot(values.map((value) => value * 1e6))];
  t.is(scaled.sizeForHalfWidth(0.05, MEDIAN), plain.sizeForHalfWidth(0.05, MEDIAN));
  t.is(scaled.sizeToDetect(1.1, AIM), plain.sizeToDetect(1.1, AIM));
});

test('halving the width takes about four times as many values', (t) => {
  const pilot = new Pilot(sample(NORMAL, 500, new FastRandom(24)));
  const [wide, narrow] = [0.01, 0.005].map((wanted) => pilot.sizeForHalfWidth(wanted, MEDIAN));
  t.true(Math.abs(narrow! / wide! - 4) < 0.3, `${narrow}/${wide}`);
});

test('what can not be planned is absent', (t) => {
  const pilot = new Pilot(sample(NORMAL, 30, new FastRandom(25)));
  t.is(pilot.halfWidth(5, MEDIAN), undefined, 'five values have no interval');
  t.is(pilot.sizeForHalfWidth(1e-9, MEDIAN), undefined);
  t.is(pilot.detectableRatio(2, AIM), undefined, 'two values find nothing');
  t.is(pilot.sizeToDetect(1 + 1e-12, AIM), undefined);
  t.is(new Pilot([-1, -2, -3, -4, -5]).halfWidth(20, MEDIAN), undefined);
});
