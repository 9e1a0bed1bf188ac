import { coverageAtLooks, looksOf } from '../analysis/statistics/sequential.ts';
import { quantileInterval } from '../analysis/statistics/quantile-interval.ts';
import { quantile } from '../analysis/quantile.ts';
import type { Experiment } from '../../schemas/experiment.ts';
import type { CellPrecision, Look } from '../../schemas/look.ts';

/** When a run is precise enough. */
export interface StopRule {
  /** When it is looked at, in repetitions, ascending; the last is the maximum. */
  readonly looks: readonly number[];
  /** That every interval needs at each look, so that 95 % hold over all looks. */
  readonly coverage: number;
  /** Half the width of the interval, percent of the estimate, that is enough. */
  readonly wantedPercent: number;
  /** Of the quantile that is estimated. */
  readonly probability: number;
}

/** The values of each cell so far, ns: one per trial and host, only valid ones. */
export type ValuesByCell = ReadonlyMap<string, readonly number[]>;

/** Most repetitions that are named as needed; beyond, the figure says nothing. */
const NEEDED_MAX = 1e9;

/** The rule of an experiment. Undefined if its length does not depend on its values. */
export function stopRuleOf(
  experiment: Pick<Experiment, 'repetitions' | 'until'>,
): StopRule | undefined {
  const looks = looksOf(experiment);
  const { until } = experiment;
  if (looks === undefined || until?.halfWidthPercent === undefined) return undefined;
  return {
    looks,
    coverage: coverageAtLooks(looks),
    wantedPercent: until.halfWidthPercent,
    probability: until.of === 'median' ? 0.5 : 0.95,
  };
}

/**
 * Fewest values that a cell needs for an interval at all: smallest and largest must lie on either
 * side of the quantile with the coverage that the rule asks for.
 */
export function valuesNeeded({ probability, coverage }: StopRule): number {
  const likelier = Math.max(probability, 1 - probability);
  return Math.ceil(Math.log((1 - coverage) / 2) / Math.log(likelier));
}

/**
 * Looks at the values after some whole repetitions; pure. The run stops when every cell is precise
 * enough, or at its last look; never cell by cell: what the others run beside must stay the same.
 *
 * @returns undefined if there is no look after so many repetitions
 */
export function lookAt(
  rule: StopRule,
  repetitions: number,
  valuesByCell: ValuesByCell,
): Look | undefined {
  const place = rule.looks.indexOf(repetitions);
  if (place === -1) return undefined;
  const cells = precisions(rule, repetitions, valuesByCell);
  const isOver = place + 1 === rule.looks.length || cells.every(({ isPrecise }) => isPrecise);
  return {
    look: place + 1,
    looks: rule.looks.length,
    repetitions,
    cells,
    decision: isOver ? 'stop' : 'go-on',
  };
}

/** How precisely each cell is known after some repetitions, in the order of the cells. */
export function precisions(
  rule: StopRule,
  repetitions: number,
  valuesByCell: ValuesByCell,
): CellPrecision[] {
  return [...valuesByCell].map(([cellId, values]) =>
    precisionOf(rule, repetitions, { cellId, values }),
  );
}

/**
 * The look by which the run will have ended as far as the values tell: the first that has as many
 * repetitions as the slowest cell needs.
 */
export function expectedEnd(rule: StopRule, { repetitions, cells }: Look): number {
  const maximum = rule.looks.at(-1) ?? repetitions;
  const needed = Math.max(
    ...cells.map(({ isPrecise, repetitionsNeeded }) =>
      isPrecise ? repetitions : (repetitionsNeeded ?? maximum),
    ),
  );
  return rule.looks.find((look) => look > repetitions && look >= needed) ?? maximum;
}

function precisionOf(
  { probability, coverage, wantedPercent }: StopRule,
  repetitions: number,
  { cellId, values }: { cellId: string; values: readonly number[] },
): CellPrecision {
  const estimateNs = quantile(values, probability);
  const n = values.length;
  if (estimateNs === undefined) return { cellId, n, isPrecise: false };
  const interval = quantileInterval(values, probability, coverage);
  // A share of nothing, or of less than nothing as a lateness may be, is no precision.
  if (interval === undefined || estimateNs <= 0) return { cellId, n, estimateNs, isPrecise: false };
  const halfWidthPercent = (50 * (interval.upper - interval.lower)) / estimateNs;
  const isPrecise = halfWidthPercent <= wantedPercent;
  // The width of an interval falls with the square root of the number of values.
  const needed = Math.ceil(repetitions * (halfWidthPercent / wantedPercent) ** 2);
  return {
    cellId,
    n,
    estimateNs,
    halfWidthPercent,
    isPrecise,
    ...(isPrecise || needed > NEEDED_MAX ? {} : { repetitionsNeeded: needed }),
  };
}
