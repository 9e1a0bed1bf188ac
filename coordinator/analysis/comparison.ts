import type { Run } from '../../schemas/run.ts';
import { conditionDifferences } from './condition-differences.ts';
import { compareFailures } from './failure-comparison.ts';
import type { FailureComparison } from './failure-comparison.ts';
import { hostNames } from './host-names.ts';
import { hostRatio } from './host-ratio.ts';
import type { CellSummary, RunSummary, Unit } from './run-summary.ts';
import { effectSize } from './statistics/effect-size.ts';
import type { EffectSize } from './statistics/effect-size.ts';
import { ratioCaution } from './statistics/interval-trust.ts';
import { holmAdjust } from './statistics/multiple-comparisons.ts';
import { rankSumTest } from './statistics/rank-sum-test.ts';
import type { MedianRatio } from './statistics/ratio-interval.ts';

/** What a comparison of one cell comes to. */
export const VERDICTS = {
  slower: 'the second run is slower, by more than the margin',
  faster: 'the second run is faster, by more than the margin',
  same: 'the two differ by less than the margin',
  'slightly-slower': 'the second run is slower, perhaps by less than the margin',
  'slightly-faster': 'the second run is faster, perhaps by less than the margin',
  undecided: 'the interval holds both no difference and more than the margin: repeat more often',
  'too-few': 'too few independent values or hosts on a side: no interval',
  missing: 'one of the runs has no valid value in this cell',
} as const;
export type Verdict = keyof typeof VERDICTS;

/** One cell of two runs. */
export interface CellComparison {
  readonly cellId: string;
  /** Independent values: trials on hosts. */
  readonly n: readonly [number, number];
  readonly mediansNs: readonly [number | undefined, number | undefined];
  readonly ratio?: MedianRatio;
  readonly effect?: EffectSize;
  /** Of the rank sum test, corrected by Holm over the cells compared. */
  readonly pAdjusted?: number;
  readonly verdict: Verdict;
  /** What a reader must know of the interval, or why there is none. Absent if nothing. */
  readonly caution?: string;
  /** Absent if a run made no attempt in the cell. */
  readonly failures?: FailureComparison;
}

/** Two runs, cell by cell. */
export interface RunComparison {
  readonly runIds: readonly [string, string];
  /** Share that a median may change without mattering, e.g. 0.05. */
  readonly margin: number;
  readonly cells: readonly CellComparison[];
  /** Why the two should not be compared, or only with care. */
  readonly warnings: readonly string[];
}

/** How a comparison is made. */
export interface ComparisonOptions {
  readonly margin: number;
  readonly seed: number;
  /** The records of both. Without them hosts go by devices, and conditions are not compared. */
  readonly runs?: readonly [Run, Run];
}

/** The part of a run that a comparison needs. */
export type ComparableRun = Pick<
  RunSummary,
  'runId' | 'state' | 'metric' | 'hosts' | 'setUps' | 'cells'
>;

/**
 * Compares the cells of two runs; pure. Values that share a host count as that host's. Where two
 * hosts or more are in both runs, each is compared with itself.
 */
export function compareRuns(
  before: ComparableRun,
  after: ComparableRun,
  options: ComparisonOptions,
): RunComparison {
  const cellIds = [...new Set([...before.cells, ...after.cells].map(({ cell }) => cell.id))];
  const [firstNames, secondNames] = [
    hostNames(before, options.runs?.[0]),
    hostNames(after, options.runs?.[1]),
  ];
  const pairs = cellIds.map((cellId): CellPair => {
    const [first, second] = [cellOf(before, cellId), cellOf(after, cellId)];
    return {
      cellId,
      cells: [first, second],
      units: [named(first?.units, firstNames), named(second?.units, secondNames)],
    };
  });
  const pValues = pairs.map(({ units: [first, second] }) =>
    rankSumTest(valuesOf(first), valuesOf(second)),
  );
  const adjusted = holmAdjust(pValues.filter((pValue) => pValue !== undefined));
  let tested = 0;
  return {
    runIds: [before.runId, after.runId],
    margin: options.margin,
    cells: pairs.map((pair, index) => {
      const pAdjusted = pValues[index] === undefined ? undefined : adjusted[tested++];
      const [first, second] = pair.cells;
      const failures =
        first === undefined || second === undefined
          ? undefined
          : compareFailures([first, second], [before, after], cellIds.length);
      return {
        ...compareCell(pair, options),
        ...(pAdjusted === undefined ? {} : { pAdjusted }),
        ...(failures === undefined ? {} : { failures }),
      };
    }),
    warnings: warningsOf(before, after, options.runs),
  };
}

interface CellPair {
  readonly cellId: string;
  readonly cells: readonly [CellSummary | undefined, CellSummary | undefined];
  /** With hosts by names that are the same in both runs. */
  readonly units: readonly [readonly Unit[], readonly Unit[]];
}

function compareCell(
  { cellId, cells: [before, after], units: [first, second] }: CellPair,
  { margin, seed }: ComparisonOptions,
): CellComparison {
  const ratio = hostRatio(first, second, { seed });
  const effect = effectSize(valuesOf(first), valuesOf(second));
  const caution = ratio === undefined ? undefined : ratioCaution(ratio);
  return {
    cellId,
    n: [first.length, second.length],
    mediansNs: [before?.latency?.medianNs, after?.latency?.medianNs],
    ...(ratio === undefined ? {} : { ratio }),
    ...(effect === undefined ? {} : { effect }),
    verdict: verdictOf(ratio, margin),
    ...(caution === undefined ? {} : { caution }),
  };
}

/** By where the interval of the ratio lies against 1 and the margin around it. */
export function verdictOf(ratio: MedianRatio | undefined, margin: number): Verdict {
  if (ratio === undefined) return 'missing';
  if (ratio.interval === undefined) return 'too-few';
  const { lower, upper } = ratio.interval;
  const [least, most] = [1 / (1 + margin), 1 + margin];
  if (lower > most) return 'slower';
  if (upper < least) return 'faster';
  if (lower >= least && upper <= most) return 'same';
  if (lower > 1) return 'slightly-slower';
  return upper < 1 ? 'slightly-faster' : 'undecided';
}

function cellOf(summary: ComparableRun, cellId: string): CellSummary | undefined {
  return summary.cells.find(({ cell }) => cell.id === cellId);
}

function named(
  units: readonly Unit[] | undefined,
  names: ReadonlyMap<string, string>,
): readonly Unit[] {
  return (units ?? []).map((unit) => ({ ...unit, host: names.get(unit.host) ?? unit.host }));
}

function valuesOf(units: readonly Unit[]): number[] {
  return units.map(({ valueNs }) => valueNs);
}

function warningsOf(
  before: ComparableRun,
  after: ComparableRun,
  runs: ComparisonOptions['runs'],
): string[] {
  const warnings: string[] = [];
  if (before.metric !== after.metric) {
    warnings.push(`the runs measured different things: ${before.metric} and ${after.metric}`);
  }
  for (const { runId, state } of [before, after]) {
    if (state !== 'completed')
      warnings.push(`run ${runId} is ${state}: its cells are not balanced`);
  }
  if (runs === undefined) return warnings;
  const [first, second] = [hostNames(before, runs[0]), hostNames(after, runs[1])];
  const shared = [...first.values()].filter((name) => [...second.values()].includes(name));
  if (shared.length < Math.max(first.size, second.size)) {
    warnings.push(
      `the hosts are not the same (${first.size} before, ${second.size} after, ${shared.length} ` +
        'in both): how much hosts differ is a part of each ratio',
    );
  }
  const sources = [
    { run: runs[0], summary: before },
    { run: runs[1], summary: after },
  ] as const;
  return [...warnings, ...conditionDifferences(...sources)];
}
