import type { Experiment } from '../../schemas/experiment.ts';
import type { Unit } from './run-summary.ts';
import { Pilot } from './statistics/power.ts';
import { quantileInterval } from './statistics/quantile-interval.ts';
import { intervalCoverageOf } from './statistics/sequential.ts';

/** Precisions that a plan is made for: half the width of the interval, percent. */
export const PLANNED_PERCENTS = [1, 2, 5, 10] as const;

/** Chances to find a difference that a plan is made for. */
export const PLANNED_POWERS = [0.8, 0.9] as const;

/** Fewest values of a pilot that say how much values differ. */
const PILOT_VALUES_MIN = 5;

/** What a plan of repetitions is made for. */
export interface PowerPlanOptions {
  /** Hosts that each trial will run on. Undefined: as many as the cell had in the pilot. */
  readonly hosts?: number | undefined;
  /** The difference of two medians that shall be found, percent. */
  readonly detectPercent: number;
  /** Comparisons that the level is divided among. Undefined: every pair of cells. */
  readonly comparisons?: number | undefined;
}

/** What the pilot says of one cell. */
export interface CellPower {
  readonly cellId: string;
  /** Values of the pilot: trials on hosts. 0 if it has none of this cell. */
  readonly n: number;
  readonly hosts: number;
  /** The median, or the 95th percentile if the experiment asks for that. Absent without values. */
  readonly estimateNs?: number;
  /** Distance of the quartiles, percent of the median. */
  readonly spreadPercent?: number;
  /** Half the width of the interval that the pilot reached. Absent with too few values. */
  readonly halfWidthPercent?: number;
  /** Repetitions per cell for each of {@link PLANNED_PERCENTS}; null: no number is enough. */
  readonly repetitionsForPercent: readonly (number | null)[];
  /** The smallest difference that the file's repetitions find at 80 %; null: none. */
  readonly detectablePercent: number | null;
  /** Repetitions to find the wanted difference, for each of {@link PLANNED_POWERS}. */
  readonly repetitionsToDetect: readonly (number | null)[];
}

/** How many repetitions the cells of an experiment need, as far as a pilot tells. */
export interface PowerPlan {
  readonly statistic: 'median' | 'p95';
  readonly repetitions: number;
  /** Of every interval: 0.95, and more if the run is looked at several times. */
  readonly coverage: number;
  readonly comparisons: number;
  /** Two-sided level of each comparison, by Bonferroni, which Holm's correction never exceeds. */
  readonly level: number;
  readonly detectPercent: number;
  readonly cells: readonly CellPower[];
}

/**
 * Says how many repetitions an experiment needs; pure. The next run is supposed to vary as the
 * pilot did, and trials on several hosts to be independent: more repetitions make the figures of
 * these hosts more precise, and say nothing about others.
 *
 * @param cellIds of the experiment, in its order
 * @param pilot the values of each cell in an earlier run
 */
export function planPower(
  experiment: Pick<Experiment, 'repetitions' | 'until'>,
  cellIds: readonly string[],
  pilot: ReadonlyMap<string, readonly Unit[]>,
  options: PowerPlanOptions,
): PowerPlan {
  const coverage = intervalCoverageOf(experiment);
  const pairs = (cellIds.length * (cellIds.length - 1)) / 2;
  const comparisons = options.comparisons ?? Math.max(1, pairs);
  const aims = {
    statistic: experiment.until?.of ?? 'median',
    repetitions: experiment.repetitions,
    coverage,
    comparisons,
    level: (1 - coverage) / comparisons,
    detectPercent: options.detectPercent,
  } as const;
  const cells = cellIds.map((cellId) =>
    planCell(cellId, pilot.get(cellId) ?? [], { ...aims, wantedHosts: options.hosts }),
  );
  return { ...aims, cells };
}

type Aims = Omit<PowerPlan, 'cells'> & { readonly wantedHosts: number | undefined };

function planCell(cellId: string, units: readonly Unit[], aims: Aims): CellPower {
  const values = units.map(({ valueNs }) => valueNs);
  const hosts = aims.wantedHosts ?? Math.max(1, new Set(units.map(({ host }) => host)).size);
  const base = { cellId, n: values.length, hosts };
  const unknown = {
    repetitionsForPercent: PLANNED_PERCENTS.map(() => null),
    detectablePercent: null,
    repetitionsToDetect: PLANNED_POWERS.map(() => null),
  };
  // Neither a ratio nor a share can be had of what may be negative, as a lateness may.
  if (values.length < PILOT_VALUES_MIN || Math.min(...values) <= 0) return { ...base, ...unknown };
  const pilot = new Pilot(values);
  const aim = { probability: aims.statistic === 'p95' ? 0.95 : 0.5, coverage: aims.coverage };
  const estimateNs = pilot.quantile(aim.probability);
  const interval = quantileInterval(values, aim.probability, aims.coverage);
  const perHost = (size: number | undefined): number | null =>
    size === undefined ? null : Math.ceil(size / hosts);
  const ratio = pilot.detectableRatio(aims.repetitions * hosts, { power: 0.8, level: aims.level });
  return {
    ...base,
    estimateNs,
    spreadPercent: (100 * (pilot.quantile(0.75) - pilot.quantile(0.25))) / pilot.quantile(0.5),
    ...(interval === undefined
      ? {}
      : { halfWidthPercent: (50 * (interval.upper - interval.lower)) / estimateNs }),
    repetitionsForPercent: PLANNED_PERCENTS.map((percent) =>
      perHost(pilot.sizeForHalfWidth(percent / 100, aim)),
    ),
    detectablePercent: ratio === undefined ? null : 100 * (ratio - 1),
    repetitionsToDetect: PLANNED_POWERS.map((power) =>
      perHost(pilot.sizeToDetect(1 + aims.detectPercent / 100, { power, level: aims.level })),
    ),
  };
}
