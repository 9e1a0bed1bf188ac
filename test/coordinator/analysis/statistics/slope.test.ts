import test from 'ava';
import { FastRandom } from '../../../../coordinator/analysis/statistics/fast-random.ts';
import { theilSenSlope } from '../../../../coordinator/analysis/statistics/slope.ts';

test('theilSenSlope is exact on a line, and one outlier does not move it', (t) => {
  const line = Array.from({ length: 15 }, (_, x) => ({ x, y: 3 + 2 * x }));
  t.is(theilSenSlope(line)?.slope, 2);
  const broken = line.map((point, index) => (index === 7 ? { x: point.x, y: 1000 } : point));
  t.is(theilSenSlope(broken)?.slope, 2);
});

test('theilSenSlope has an interval that holds the true slope of noisy points', (t) => {
  const random = new FastRandom(2);
  let inside = 0;
  for (let round = 0; round < 400; round += 1) {
    const points = Array.from({ length: 20 }, (_, x) => ({ x, y: x / 2 + random.nextNormal() }));
    const { lower = 1, upper = 0 } = theilSenSlope(points)?.interval ?? {};
    if (lower <= 0.5 && upper >= 0.5) inside += 1;
  }
  // 95 % of 400 is 380; fewer than 364 would come once in 2000 such tests.
  t.true(inside >= 364, String(inside));
});

test('theilSenSlope says nothing about points of one x', (t) => {
  t.is(
    theilSenSlope([
      { x: 1, y: 1 },
      { x: 1, y: 2 },
    ]),
    undefined,
  );
});
