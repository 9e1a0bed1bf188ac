import test from 'ava';
import { FastRandom } from '../../coordinator/analysis/statistics/fast-random.ts';
import { medianRatio } from '../../coordinator/analysis/statistics/ratio-interval.ts';
import { sortedQuantile } from '../../coordinator/analysis/statistics/sorted-quantile.ts';
import { RatioResampler } from './ratio-resampler.ts';

const RESAMPLES = 20_000;

test('RatioResampler has the interval of medianRatio, but for the noise of drawing', (t) => {
  const random = new FastRandom(3);
  const resampler = new RatioResampler(4, RESAMPLES);
  for (const size of [5, 10, 21, 80]) {
    const [first, second] = [100, 120].map((centre) =>
      Array.from({ length: size }, () => centre + 10 * random.nextNormal()),
    );
    const real = medianRatio([first!], [second!], { seed: 1, resamples: RESAMPLES })?.interval;
    const ratios = resampler.replicates(Float64Array.from(first!), Float64Array.from(second!));
    const width = (real?.upper ?? NaN) - (real?.lower ?? NaN);
    t.true(
      Math.abs(sortedQuantile(ratios, 0.025) - (real?.lower ?? NaN)) < width * 0.05,
      `${size}`,
    );
    t.true(
      Math.abs(sortedQuantile(ratios, 0.975) - (real?.upper ?? NaN)) < width * 0.05,
      `${size}`,
    );
  }
});
