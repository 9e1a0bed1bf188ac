import { SAMPLED_METRICS } from '../../schemas/telemetry-names.ts';
import type { MetricDefinition } from '../../schemas/telemetry-names.ts';

/** One series of samples of one source. */
export interface TelemetrySeries {
  /** What it was read from, e.g. `cgroup-cpu`. */
  readonly source: string;
  readonly metric: string;
  /** What tells it from others of its metric. Absent if there is one. */
  readonly attributes?: Readonly<Record<string, string>>;
  readonly unit: string;
  /** Which sandbox. Absent if it is about the whole device. */
  readonly instance?: string;
  /** As they were recorded; NaN where there was no value. */
  readonly points: readonly { readonly sinceRequestMs: number; readonly value: number }[];
}

type Point = TelemetrySeries['points'][number];

/** A series as people read it: counters as rates, in units that they know. */
export interface DisplayedSeries {
  /** What it shows, e.g. `container.cpu.time user`. */
  readonly title: string;
  readonly unit: string;
  /** True for a counter, of which the rate is shown. */
  readonly isRate: boolean;
  /** NaN is a gap. */
  readonly points: readonly Point[];
}

/** A unit for people: what it is called, and how many of it one of the recorded unit is. */
type Reading = readonly [name: string, factor: number];

const MIB = 2 ** 20;

/** Of levels and gauges, by the recorded unit. */
const LEVELS: Readonly<Record<string, Reading>> = {
  By: ['MiB', 1 / MIB],
  Hz: ['MHz', 1e-6],
  Cel: ['°C', 1],
  s: ['s', 1],
};

/** Of the rates of counters. */
const RATES: Readonly<Record<string, Reading>> = {
  By: ['MiB/s', 1 / MIB],
  s: ['% of the time', 100],
  J: ['W', 1],
};

/** Counters of processor time, which is spent on several at once. */
const PROCESSOR_TIME: ReadonlySet<string> = new Set([
  'container.cpu.time',
  'lockstep.sandbox.cpu.mode.time',
  'lockstep.sandbox.guest.time',
  'lockstep.vmm.thread.run.time',
  'system.cpu.time',
]);

const DEFINITIONS: Readonly<Record<string, MetricDefinition | undefined>> = SAMPLED_METRICS;

/** Puts a series into the form that is shown. Metrics that are not known stay as they are. */
export function displaySeries(series: TelemetrySeries): DisplayedSeries {
  const { metric, unit, points } = series;
  const definition = Object.hasOwn(DEFINITIONS, metric) ? DEFINITIONS[metric] : undefined;
  const isRate = definition?.kind === 'counter';
  const [name, factor] = isRate
    ? rateUnit(metric, unit)
    : definition === undefined
      ? [unit, 1]
      : (LEVELS[unit] ?? [bare(unit), 1]);
  return {
    title: titleOf(series),
    unit: name,
    isRate,
    points: (isRate ? ratesOf(points) : points).map(({ sinceRequestMs, value }) => ({
      sinceRequestMs,
      value: value * factor,
    })),
  };
}

/**
 * What a counter grew by per second, from each reading to the next. There is a gap where one of the
 * two is absent, where no time passed, and where the counter began anew.
 */
export function ratesOf(points: readonly Point[]): Point[] {
  return points.slice(1).map(({ sinceRequestMs, value }, index) => {
    const before = points[index] ?? { sinceRequestMs, value };
    const seconds = (sinceRequestMs - before.sinceRequestMs) / 1000;
    const growth = value - before.value;
    const isKnown = seconds > 0 && growth >= 0;
    return { sinceRequestMs, value: isKnown ? growth / seconds : Number.NaN };
  });
}

function rateUnit(metric: string, unit: string): Reading {
  if (unit === 's' && PROCESSOR_TIME.has(metric)) return ['% of one processor', 100];
  return RATES[unit] ?? [`${bare(unit)}/s`, 1];
}

/** `{task}` is `task`. */
function bare(unit: string): string {
  return unit.replace(/^\{(.*)\}$/, '$1');
}

function titleOf({ metric, attributes = {}, instance }: TelemetrySeries): string {
  const values = Object.entries(attributes).toSorted(([a], [b]) => (a < b ? -1 : 1));
  const parts = values.map(([name, value]) => `${name.split('.').at(-1) ?? name}=${value}`);
  return [metric, ...parts, ...(instance === undefined ? [] : [instance])].join(' ');
}

/** What is looked at first, in this order; the rest is below or in the data alone. */
export const FIRST_METRICS: readonly string[] = [
  'container.cpu.time',
  'container.memory.usage',
  'lockstep.sandbox.cpu.throttled.time',
  'lockstep.sandbox.pressure.time',
  'lockstep.host.cpu.busy.time',
  'lockstep.host.pressure.time',
  'hw.temperature',
];
