import { quantileInterval } from '../../coordinator/analysis/statistics/quantile-interval.ts';
import { FastRandom } from '../../coordinator/analysis/statistics/fast-random.ts';
import { rankSumTest } from '../../coordinator/analysis/statistics/rank-sum-test.ts';
import { coverageAtLooks } from '../../coordinator/analysis/statistics/sequential.ts';
import { sortedQuantile } from '../../coordinator/analysis/statistics/sorted-quantile.ts';
import { wilsonInterval } from '../../coordinator/analysis/wilson-interval.ts';
import type { Benchmark, BenchmarkValue } from './benchmark.ts';
import { RatioResampler } from './ratio-resampler.ts';

/** Looks, in values per cell. The second has a look at hardly any values. */
const SCHEDULES = [
  [10, 20, 40, 80],
  [5, 10, 20, 40],
] as const;
const RUNS_FULL = 20_000;
const RUNS_QUICK = 200;
const RESAMPLES_FULL = 2000;
const RESAMPLES_QUICK = 500;
const SEED = 20_261_123;

/** A distribution, and the precision of the median that 40 values have about. */
interface Source {
  readonly name: string;
  readonly wanted: number;
  draw(random: FastRandom): number;
}

// The same as those of the benchmark `coverage`.
const SOURCES: readonly Source[] = [
  { name: 'normal', wanted: 0.045, draw: (random) => 100 + 10 * random.nextNormal() },
  {
    name: 'log-normal',
    wanted: 0.22,
    draw: (random) => 100 * Math.exp(0.5 * random.nextNormal()),
  },
  {
    name: 'bimodal',
    wanted: 0.04,
    draw: (random) => (random.next() < 0.25 ? 150 : 100) + 5 * random.nextNormal(),
  },
];

/** Ways to claim that two cells differ. */
const METHODS = ['intervals apart', 'ratio without 1', 'rank sum'] as const;

/** The same run at a corrected level and at 95 % each time. */
const LEVELS = ['corrected', 'uncorrected'] as const;

/** When the run ends: once both cells are precise; or as soon as a difference is claimed. */
const RULES = ['when precise', 'at first claim'] as const;

type Tally = Record<(typeof RULES)[number], Record<(typeof LEVELS)[number], number[]>>;

/** How often runs of two equal cells claim that these differ. */
export const sequentialBenchmark: Benchmark = {
  name: 'sequential',
  description: 'How often does a run that looks at its values find a difference that is not there?',
  run: ({ full, log }) => {
    const runs = full ? RUNS_FULL : RUNS_QUICK;
    const resampler = new RatioResampler(SEED, full ? RESAMPLES_FULL : RESAMPLES_QUICK);
    const rows: BenchmarkValue[][] = [];
    for (const looks of SCHEDULES) {
      for (const [index, source] of SOURCES.entries()) {
        log(`${source.name}, looks at ${looks.join(' ')}`);
        const random = new FastRandom(SEED + index);
        const tally = simulate(source, { looks, runs, random, resampler });
        rows.push(...rowsOf([looks.join(' '), source.name], tally, runs));
      }
    }
    return Promise.resolve({
      columns: [
        ...['looks', 'distribution', 'stops', 'claim', 'percent', 'lowerPercent'],
        ...['upperPercent', 'uncorrectedPercent'],
      ],
      rows,
      notes: [
        `${runs} seeded runs a row, of two cells of one distribution; lower and upper: Wilson's ` +
          'interval, 95 %.',
        `Corrected: every interval covers ${(100 * coverageAtLooks(SCHEDULES[0])).toFixed(2)} %, ` +
          'every test has the level that is left; uncorrected: 95 % and 5 % at each look.',
        'At first claim is harsher than any rule of Lockstep: it stops on what it hopes for.',
      ],
    });
  },
};

interface Simulation {
  readonly looks: readonly number[];
  readonly runs: number;
  readonly random: FastRandom;
  readonly resampler: RatioResampler;
}

function simulate(source: Source, { looks, runs, random, resampler }: Simulation): Tally {
  const tally: Tally = {
    'when precise': { corrected: zeros(), uncorrected: zeros() },
    'at first claim': { corrected: zeros(), uncorrected: zeros() },
  };
  const coverages = { corrected: coverageAtLooks(looks), uncorrected: 0.95 };
  for (let run = 0; run < runs; run += 1) {
    const cells = [0, 1].map(() =>
      Array.from({ length: looks.at(-1) ?? 0 }, () => source.draw(random)),
    );
    const pairs = looks.map((size) => cells.map((cell) => Float64Array.from(cell.slice(0, size))));
    const ratios = pairs.map(([first, second]) => resampler.replicates(first, second));
    for (const level of LEVELS) {
      const seen = pairs.map((pair, index) =>
        judge(pair, ratios[index] ?? new Float64Array(), {
          coverage: coverages[level],
          wanted: source.wanted,
        }),
      );
      const end = seen.find(({ isPrecise }) => isPrecise) ?? seen.at(-1);
      METHODS.forEach((_, method) => {
        const isAnyClaim = seen.some(({ claims }) => claims[method] === true);
        count(tally['when precise'][level], method, end?.claims[method] === true);
        count(tally['at first claim'][level], method, isAnyClaim);
      });
    }
  }
  return tally;
}

/** What a look at two cells says; claims by method. */
function judge(
  [first = new Float64Array(), second = new Float64Array()]: readonly Float64Array[],
  ratios: Float64Array,
  { coverage, wanted }: { coverage: number; wanted: number },
): { isPrecise: boolean; claims: readonly boolean[] } {
  const [a, b] = [[...first], [...second]];
  const intervals = [quantileInterval(a, 0.5, coverage), quantileInterval(b, 0.5, coverage)];
  const [one, other] = intervals;
  const tail = (1 - coverage) / 2;
  const isPrecise = [first, second].every((values, index) => {
    const interval = intervals[index];
    if (interval === undefined) return false;
    return interval.upper - interval.lower <= 2 * wanted * sortedQuantile(values.toSorted(), 0.5);
  });
  return {
    isPrecise,
    claims: [
      one !== undefined &&
        other !== undefined &&
        (one.upper < other.lower || other.upper < one.lower),
      sortedQuantile(ratios, tail) > 1 || sortedQuantile(ratios, 1 - tail) < 1,
      (rankSumTest(a, b) ?? 1) <= 1 - coverage,
    ],
  };
}

function rowsOf(names: readonly string[], tally: Tally, runs: number): BenchmarkValue[][] {
  return RULES.flatMap((rule) =>
    METHODS.map((method, place): BenchmarkValue[] => {
      const claims = tally[rule].corrected[place] ?? 0;
      const interval = wilsonInterval(claims, runs);
      return [
        ...[...names, rule, method, (100 * claims) / runs],
        ...[100 * (interval?.lower ?? Number.NaN), 100 * (interval?.upper ?? Number.NaN)],
        (100 * (tally[rule].uncorrected[place] ?? 0)) / runs,
      ];
    }),
  );
}

function zeros(): number[] {
  return METHODS.map(() => 0);
}

function count(counts: number[], place: number, isSo: boolean): void {
  if (isSo) counts[place] = (counts[place] ?? 0) + 1;
}
