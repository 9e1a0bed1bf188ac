import { medianInterval } from '../../coordinator/analysis/median-interval.ts';
import type { Interval } from '../../coordinator/analysis/run-summary.ts';
import { bcaInterval } from '../../coordinator/analysis/statistics/bootstrap.ts';
import { FastRandom } from '../../coordinator/analysis/statistics/fast-random.ts';
import { hierarchicalInterval } from '../../coordinator/analysis/statistics/groups.ts';
import { medianRatio } from '../../coordinator/analysis/statistics/ratio-interval.ts';
import { medianInPlace } from '../../coordinator/analysis/statistics/sorted-quantile.ts';
import type { Benchmark, BenchmarkValue } from './benchmark.ts';

const SIMULATIONS_FULL = 10_000;
const SIMULATIONS_QUICK = 200;
const RESAMPLES = 1000;
const SIZES = [10, 20, 50, 100, 200] as const;
const DEVICES = [2, 3, 5, 10, 20] as const;
const VALUES_PER_DEVICE = 10;
const SEED = 20_261_123;

/** A distribution whose median is known. */
interface Distribution {
  readonly name: string;
  readonly median: number;
  draw(random: FastRandom): number;
}

// Bimodal: one start in four takes half as long again, as a cold cache makes it.
const BIMODAL_SHARE = 0.25;
const DISTRIBUTIONS: readonly Distribution[] = [
  { name: 'normal', median: 100, draw: (random) => 100 + 10 * random.nextNormal() },
  { name: 'log-normal', median: 100, draw: (random) => 100 * Math.exp(0.5 * random.nextNormal()) },
  {
    name: 'bimodal',
    // The 2/3 quantile of the lower mode, whose values lie far below the upper one's.
    median: 100 + 5 * 0.430_727_299_295_457_5,
    draw: (random) => (random.next() < BIMODAL_SHARE ? 150 : 100) + 5 * random.nextNormal(),
  },
];

/** How often intervals hold the truth. */
export const coverageBenchmark: Benchmark = {
  name: 'coverage',
  description: 'How often do the 95 % intervals of the report hold the true value?',
  run: ({ full, log }) => {
    const simulations = full ? SIMULATIONS_FULL : SIMULATIONS_QUICK;
    const rows: BenchmarkValue[][] = [];
    for (const distribution of DISTRIBUTIONS) {
      log(distribution.name);
      for (const size of SIZES) rows.push(sampleRow(distribution, size, simulations));
      for (const devices of DEVICES) rows.push(fleetRow(distribution, devices, simulations));
    }
    return Promise.resolve({
      columns: [
        ...['distribution', 'devices', 'n', 'orderStatisticsPercent', 'bcaMedianPercent'],
        ...['ratioPercent', 'hierarchicalPercent'],
      ],
      rows,
      notes: [
        `${simulations} simulations a cell, seeded; an interval that is refused is not counted. ` +
          'Medians; ratio: of two such samples.',
        'hierarchical: devices whose own medians differ by as much as their values do; ' +
          `${VALUES_PER_DEVICE} values each; the truth is that of all devices there could be.`,
      ],
    });
  },
};

function sampleRow(
  distribution: Distribution,
  size: number,
  simulations: number,
): BenchmarkValue[] {
  const random = new FastRandom(SEED + size);
  const sample = (): number[] => Array.from({ length: size }, () => distribution.draw(random));
  const { median } = distribution;
  const share = (interval: (seed: number) => Interval | undefined, truth: number) =>
    shareInside(simulations, truth, interval);
  return [
    ...[distribution.name, 1, size],
    share(() => medianInterval(sample()), median),
    share((seed) => bcaInterval(sample(), medianInPlace, { seed, resamples: RESAMPLES }), median),
    share(
      (seed) => medianRatio([sample()], [sample()], { seed, resamples: RESAMPLES })?.interval,
      1,
    ),
    undefined,
  ];
}

function fleetRow(
  distribution: Distribution,
  devices: number,
  simulations: number,
): BenchmarkValue[] {
  const random = new FastRandom(SEED + 1000 + devices);
  // A symmetric factor keeps the median of the population where it was.
  const fleet = (): number[][] =>
    Array.from({ length: devices }, () => {
      const factor = Math.exp(0.1 * random.nextNormal());
      return Array.from({ length: VALUES_PER_DEVICE }, () => factor * distribution.draw(random));
    });
  const truth = populationMedian(distribution);
  const found = shareInside(simulations, truth, (seed) =>
    hierarchicalInterval(fleet(), medianInPlace, { seed, resamples: RESAMPLES }),
  );
  const n = devices * VALUES_PER_DEVICE;
  return [distribution.name, devices, n, undefined, undefined, undefined, found];
}

/** The median over all devices there could be, from a large sample. */
function populationMedian(distribution: Distribution): number {
  const random = new FastRandom(SEED - 1);
  const values = Float64Array.from(
    { length: 1_000_000 },
    () => Math.exp(0.1 * random.nextNormal()) * distribution.draw(random),
  );
  return medianInPlace(values);
}

function shareInside(
  simulations: number,
  truth: number,
  intervalOf: (seed: number) => Interval | undefined,
): number | undefined {
  let inside = 0;
  let counted = 0;
  for (let seed = 1; seed <= simulations; seed += 1) {
    const interval = intervalOf(seed);
    if (interval === undefined) continue;
    counted += 1;
    if (interval.lower <= truth && truth <= interval.upper) inside += 1;
  }
  return counted === 0 ? undefined : (100 * inside) / counted;
}
