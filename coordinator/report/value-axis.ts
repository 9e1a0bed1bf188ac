import type { ScaleOptions } from '@observablehq/plot';
import type { RunSummary } from '../analysis/run-summary.ts';
import { sortedQuantile } from '../analysis/statistics/sorted-quantile.ts';
import { METRIC_TEXTS } from './metric-texts.ts';

/** A range narrower than this factor is as well read on a linear axis. */
const LOGARITHMIC_FROM = 3;

/** More ticks than this have labels that touch each other in a plot of 500 columns. */
const TICKS_MAX = 9;

/** A value this many times beyond what nearly all need would flatten them. */
const FAR_OUT = 3;

/** The share of values that are nearly all, and how much room they get. */
const COMMON_SHARE = 0.97;
const REACH = 1.3;

/**
 * The axis of the values: powers of ten on a linear scale, because a logarithmic scale of the plot
 * library leaves out some labels of the ticks that it is given. A lateness may be 0 or negative,
 * which has no logarithm; its axis holds ms, as that of a narrow range does.
 */
export interface ValueAxis {
  /** Lowest and highest value, ms. */
  readonly domain: readonly [number, number];
  readonly isLogarithmic: boolean;
  readonly placeOf: (valueMs: number) => number;
  /** Values beyond its end. */
  readonly beyond: number;
}

type MeasuredCells = Pick<RunSummary, 'cells' | 'metric'>;

/**
 * The axis of the values of a run. Where single latenesses lie far out, it ends before them.
 * Undefined if nothing was measured.
 */
export function valueAxis({ cells, metric }: MeasuredCells): ValueAxis | undefined {
  if (metric !== 'lateness') return axisOver(extremesMs(cells), metric);
  const values = Float64Array.from(
    cells.flatMap(({ units }) => units),
    ({ valueNs }) => valueNs / 1e6,
  ).sort();
  return axisOver(values, metric);
}

/** The lowest value above 0 and the highest one: all that an axis of latencies is made of. */
function extremesMs(cells: MeasuredCells['cells']): Float64Array {
  let lowest = Infinity;
  let highest = -Infinity;
  for (const { units } of cells) {
    for (const { valueNs } of units) {
      if (valueNs > 0 && valueNs < lowest) lowest = valueNs;
      if (valueNs > highest) highest = valueNs;
    }
  }
  return Number.isFinite(lowest) ? Float64Array.of(lowest / 1e6, highest / 1e6) : Float64Array.of();
}

/** The axis of the medians, their intervals and the p95; undefined without any. */
export function figureAxis({ cells, metric }: MeasuredCells): ValueAxis | undefined {
  const figuresNs = cells.flatMap(({ latency }) => {
    if (latency === undefined) return [];
    const { medianNs, p95Ns, medianInterval } = latency;
    return [medianNs, p95Ns, medianInterval?.lower ?? medianNs, medianInterval?.upper ?? medianNs];
  });
  return axisOver(Float64Array.from(figuresNs, (figureNs) => figureNs / 1e6).sort(), metric);
}

/** @param sorted values, ms, ascending */
function axisOver(sorted: Float64Array, metric: RunSummary['metric']): ValueAxis | undefined {
  const isLatency = metric !== 'lateness';
  const lowest = isLatency ? sorted.find((value) => value > 0) : sorted[0];
  const last = sorted.at(-1);
  if (lowest === undefined || last === undefined) return undefined;
  const placeOf = (valueMs: number): number => valueMs;
  if (isLatency && last / lowest >= LOGARITHMIC_FROM) {
    const domain = [lowest / 1.15, last * 1.15] as const;
    return { domain, isLogarithmic: true, placeOf: Math.log10, beyond: 0 };
  }
  const common = REACH * sortedQuantile(sorted, COMMON_SHARE);
  const isFarOut = !isLatency && common > 0 && last > FAR_OUT * common;
  const highest = isFarOut ? common : last;
  const margin = 0.05 * (highest - lowest || Math.abs(highest) || 1);
  return {
    domain: [lowest - margin, highest + margin],
    isLogarithmic: false,
    placeOf,
    beyond: sorted.reduce((count, value) => count + (value > highest + margin ? 1 : 0), 0),
  };
}

/** The axis as an option of the plot library. */
export function valueScale(
  axis: ValueAxis,
  metric: RunSummary['metric'],
  ticksMax = TICKS_MAX,
): ScaleOptions {
  const { domain, isLogarithmic, placeOf } = axis;
  const what = METRIC_TEXTS[metric].name;
  return {
    domain: domain.map(placeOf),
    label: isLogarithmic ? `${what}, ms (logarithmic)` : `${what}, ms`,
    labelAnchor: 'center',
    labelArrow: 'none',
    grid: true,
    ...(isLogarithmic
      ? {
          ticks: logTicks(domain, ticksMax).map(Math.log10),
          tickFormat: (power: number) => String(Number((10 ** power).toPrecision(1))),
        }
      : { ticks: Math.min(6, ticksMax) }),
  };
}

/**
 * Round values in a range above 0: 1, 2, 5 times a power of ten; of those that would be too many,
 * the powers of ten, or every second of them, and so on.
 */
export function logTicks(
  [lowest, highest]: readonly [number, number],
  ticksMax = TICKS_MAX,
): number[] {
  const candidates = [1, 2, 5].map((step) => decades(lowest, highest, step));
  const all = candidates.flat().toSorted((a, b) => a - b);
  if (all.length <= ticksMax) return all;
  const [powers = []] = candidates;
  const stride = Math.ceil(powers.length / ticksMax);
  return powers.filter((_, index) => index % stride === 0);
}

function decades(lowest: number, highest: number, step: number): number[] {
  const ticks: number[] = [];
  for (let power = Math.floor(Math.log10(lowest)); 10 ** power <= highest; power += 1) {
    const tick = Number((step * 10 ** power).toPrecision(1));
    if (tick >= lowest && tick <= highest) ticks.push(tick);
  }
  return ticks;
}
