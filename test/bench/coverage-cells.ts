import type { Interval } from '../../coordinator/analysis/run-summary.ts';
import { bcaMedianInterval } from '../../coordinator/analysis/statistics/bootstrap.ts';
import { FastRandom } from '../../coordinator/analysis/statistics/fast-random.ts';
import { hierarchicalInterval } from '../../coordinator/analysis/statistics/groups.ts';
import { locationInterval } from '../../coordinator/analysis/statistics/location-interval.ts';
import { quantileInterval } from '../../coordinator/analysis/statistics/quantile-interval.ts';
import {
  medianRatio,
  pairedMedianRatio,
} from '../../coordinator/analysis/statistics/ratio-interval.ts';
import { theilSenSlope } from '../../coordinator/analysis/statistics/slope.ts';
import {
  DEVICE_SPREAD,
  DISTRIBUTIONS,
  SESSION_SPREAD,
  pooledMedian,
} from './coverage-distributions.ts';
import type { Distribution } from './coverage-distributions.ts';

/** One row of the table: an interval on one kind of data. */
export interface CoverageCell {
  readonly interval: IntervalName;
  readonly distribution: string;
  readonly devices: number;
  /** Values of one device, or of a session where there are some. */
  readonly n: number;
}

/** What was found in a cell. */
export interface CoverageRow extends CoverageCell {
  /** Of the intervals that were given. Absent if none was. */
  readonly coveragePercent?: number;
  readonly refusedPercent: number;
  /** Median width, percent of the true value. Absent if there was none. */
  readonly widthPercent?: number;
}

const SEED = 20_261_123;
const RESAMPLES = 1000;
const RESAMPLES_HIERARCHICAL = 400;
const SESSIONS = 3;
const SIZES = [5, 6, 8, 10, 20, 50, 100, 200] as const;
const DEVICES = [2, 3, 4, 5, 10, 20] as const;
const SLOPE_SIZES = [5, 10, 20, 50, 100] as const;

/** An interval from one simulated sample, and what it should hold. */
type Sampler = (
  random: FastRandom,
  cell: CoverageCell,
  data: Distribution,
) => { readonly interval: Interval | undefined; readonly truth: number };

const values = (random: FastRandom, { n }: CoverageCell, data: Distribution): number[] =>
  Array.from({ length: n }, () => data.draw(random));

const scaled = (sample: number[], factor: number): number[] =>
  sample.map((value) => value * factor);

/** Values of devices whose medians differ by a factor that is 1 at the median. */
function fleet(random: FastRandom, cell: CoverageCell, data: Distribution): number[][] {
  return Array.from({ length: cell.devices }, () =>
    scaled(values(random, cell, data), Math.exp(DEVICE_SPREAD * random.nextNormal())),
  );
}

function sessions(random: FastRandom, cell: CoverageCell, data: Distribution): number[][][] {
  return Array.from({ length: cell.devices }, () => {
    const device = Math.exp(DEVICE_SPREAD * random.nextNormal());
    return Array.from({ length: SESSIONS }, () =>
      scaled(values(random, cell, data), device * Math.exp(SESSION_SPREAD * random.nextNormal())),
    );
  });
}

/** Each device before and after; the change is 1 at the median, and differs between devices. */
function pairedFleet(random: FastRandom, cell: CoverageCell, data: Distribution) {
  return fleet(random, cell, data).map((own): [number[], number[]] => {
    const other = Math.exp(SESSION_SPREAD * random.nextNormal());
    return [own, scaled(values(random, cell, data), other)];
  });
}

/** Half of the devices there could be are slower by a half. */
const KINDS_FACTOR = 1.5;

function mixedFleet(random: FastRandom, cell: CoverageCell, data: Distribution): number[][] {
  return fleet(random, cell, data).map((own) =>
    scaled(own, random.next() < 0.5 ? 1 : KINDS_FACTOR),
  );
}

const pooledTruths = new Map<string, number>();
function pooledTruth(data: Distribution, spread: number): number {
  const key = `${data.name} ${spread}`;
  const known = pooledTruths.get(key) ?? pooledMedian(data, spread, SEED - 1);
  pooledTruths.set(key, known);
  return known;
}

const seedOf = (random: FastRandom): number => random.nextBits();

const SAMPLERS = {
  'median, order statistics': (random, cell, data) => ({
    interval: quantileInterval(values(random, cell, data), 0.5),
    truth: data.median,
  }),
  'p95, order statistics': (random, cell, data) => ({
    interval: quantileInterval(values(random, cell, data), 0.95),
    truth: data.p95,
  }),
  'median, BCa': (random, cell, data) => ({
    interval: bcaMedianInterval(values(random, cell, data), {
      seed: seedOf(random),
      resamples: RESAMPLES,
    }),
    truth: data.median,
  }),
  'ratio, trials': (random, cell, data) => ({
    interval: medianRatio([values(random, cell, data)], [values(random, cell, data)], {
      seed: seedOf(random),
      resamples: RESAMPLES,
    })?.interval,
    truth: 1,
  }),
  'ratio, paired hosts': (random, cell, data) => ({
    interval: pairedMedianRatio(pairedFleet(random, cell, data), { seed: seedOf(random) })
      ?.interval,
    truth: 1,
  }),
  'ratio, two fleets': (random, cell, data) => ({
    interval: medianRatio(fleet(random, cell, data), fleet(random, cell, data), {
      seed: seedOf(random),
    })?.interval,
    truth: 1,
  }),
  'hosts, Student': (random, cell, data) => ({
    interval: locationInterval(fleet(random, cell, data))?.interval,
    truth: data.median,
  }),
  'hosts, bootstrap': (random, cell, data) => ({
    interval: hierarchicalInterval(fleet(random, cell, data), {
      seed: seedOf(random),
      resamples: RESAMPLES_HIERARCHICAL,
    }),
    truth: pooledTruth(data, DEVICE_SPREAD),
  }),
  'hosts of two kinds, Student': (random, cell, data) => ({
    interval: locationInterval(mixedFleet(random, cell, data))?.interval,
    truth: data.median * Math.sqrt(KINDS_FACTOR),
  }),
  'hosts with sessions, Student': (random, cell, data) => ({
    interval: locationInterval(sessions(random, cell, data))?.interval,
    truth: data.median,
  }),
  'hosts with sessions, bootstrap': (random, cell, data) => ({
    interval: hierarchicalInterval(sessions(random, cell, data), {
      seed: seedOf(random),
      resamples: RESAMPLES_HIERARCHICAL,
    }),
    truth: pooledTruth(data, Math.hypot(DEVICE_SPREAD, SESSION_SPREAD)),
  }),
  'slope, Theil-Sen': (random, cell, data) => ({
    interval: theilSenSlope(values(random, cell, data).map((y, x) => ({ x, y: y + x })))?.interval,
    truth: 1,
  }),
} as const satisfies Record<string, Sampler>;

/** The name of an interval in the table. */
export type IntervalName = keyof typeof SAMPLERS;

/** Every cell of the table. */
export function coverageCells(): CoverageCell[] {
  return DISTRIBUTIONS.flatMap(({ name: distribution }) =>
    (Object.keys(SAMPLERS) as IntervalName[]).flatMap((interval) =>
      shapesOf(interval).map(([devices, n]) => ({ interval, distribution, devices, n })),
    ),
  );
}

function shapesOf(interval: IntervalName): [number, number][] {
  if (interval.startsWith('slope')) return SLOPE_SIZES.map((n) => [1, n]);
  if (interval.startsWith('ratio, trials') || /^(median|p95)/.test(interval)) {
    return SIZES.map((n) => [1, n]);
  }
  const perDevice = interval === 'hosts, Student' ? [10, 50] : [10];
  return perDevice.flatMap((n) => DEVICES.map((devices): [number, number] => [devices, n]));
}

/** Simulates one cell. The same cell and number of simulations give the same row. */
export function simulateCell(cell: CoverageCell, simulations: number): CoverageRow {
  const data = DISTRIBUTIONS.find(({ name }) => name === cell.distribution);
  if (data === undefined) throw new RangeError(`there is no distribution ${cell.distribution}`);
  const text = `${cell.interval} ${cell.distribution} ${cell.devices} ${cell.n}`;
  const seed = Buffer.from(text).reduce((hash, byte) => Math.imul(hash, 31) + byte, SEED);
  const random = new FastRandom(seed);
  const widths: number[] = [];
  let inside = 0;
  for (let index = 0; index < simulations; index += 1) {
    const { interval, truth } = SAMPLERS[cell.interval](random, cell, data);
    if (interval === undefined) continue;
    widths.push((100 * (interval.upper - interval.lower)) / truth);
    if (interval.lower <= truth && truth <= interval.upper) inside += 1;
  }
  const refusedPercent = (100 * (simulations - widths.length)) / simulations;
  if (widths.length === 0) return { ...cell, refusedPercent };
  const widthPercent = widths.sort((a, b) => a - b)[widths.length >>> 1] ?? Number.NaN;
  return { ...cell, coveragePercent: (100 * inside) / widths.length, refusedPercent, widthPercent };
}
