import { groupBy } from './measured-result.ts';
import type { CellSummary, RunSummary, Unit } from './run-summary.ts';
import { effectSize } from './statistics/effect-size.ts';
import type { EffectSize } from './statistics/effect-size.ts';
import { holmAdjust } from './statistics/multiple-comparisons.ts';
import { rankSumTest } from './statistics/rank-sum-test.ts';
import { medianRatio } from './statistics/ratio-interval.ts';
import type { MedianRatio } from './statistics/ratio-interval.ts';

/** What a comparison of one cell comes to. */
export const VERDICTS = {
  slower: 'the second run is slower, by more than the margin',
  faster: 'the second run is faster, by more than the margin',
  same: 'the two differ by less than the margin',
  'slightly-slower': 'the second run is slower, perhaps by less than the margin',
  'slightly-faster': 'the second run is faster, perhaps by less than the margin',
  undecided: 'the interval holds both no difference and more than the margin: repeat more often',
  'too-few': 'fewer than 5 independent values on a side: no interval',
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
}

/** Compares the cells of two runs; pure. Values that share a host count as that host's. */
export function compareRuns(
  before: RunSummary,
  after: RunSummary,
  { margin, seed }: ComparisonOptions,
): RunComparison {
  const cells = [...new Set([...before.cells, ...after.cells].map(({ cell }) => cell.id))];
  const raw = cells.map((cellId) => {
    const pair = [cellOf(before, cellId), cellOf(after, cellId)] as const;
    const [first, second] = pair.map((cell) => cell?.units.map(({ valueNs }) => valueNs) ?? []);
    return { cellId, pair, pValue: rankSumTest(first ?? [], second ?? []) };
  });
  const tested = raw.filter(({ pValue }) => pValue !== undefined);
  const adjusted = holmAdjust(tested.map(({ pValue }) => pValue ?? 1));
  return {
    runIds: [before.runId, after.runId],
    margin,
    cells: raw.map((one) => {
      const place = tested.indexOf(one);
      return compareCell(one.cellId, one.pair, { margin, seed, pAdjusted: adjusted[place] });
    }),
    warnings: warningsOf(before, after),
  };
}

function compareCell(
  cellId: string,
  [before, after]: readonly [CellSummary | undefined, CellSummary | undefined],
  options: ComparisonOptions & { readonly pAdjusted: number | undefined },
): CellComparison {
  const groups = [hostGroups(before?.units ?? []), hostGroups(after?.units ?? [])] as const;
  const [first, second] = [groups[0].flat(), groups[1].flat()];
  const ratio = medianRatio(groups[0], groups[1], { seed: options.seed });
  const effect = effectSize(first, second);
  const { pAdjusted } = options;
  return {
    cellId,
    n: [first.length, second.length],
    mediansNs: [before?.latency?.medianNs, after?.latency?.medianNs],
    ...(ratio === undefined ? {} : { ratio }),
    ...(effect === undefined ? {} : { effect }),
    ...(pAdjusted === undefined ? {} : { pAdjusted }),
    verdict: verdictOf(ratio, options.margin),
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

function cellOf(summary: RunSummary, cellId: string): CellSummary | undefined {
  return summary.cells.find(({ cell }) => cell.id === cellId);
}

function hostGroups(units: readonly Unit[]): number[][] {
  return [...groupBy(units, ({ host }) => host).values()].map((own) =>
    own.map(({ valueNs }) => valueNs),
  );
}

function warningsOf(before: RunSummary, after: RunSummary): string[] {
  const warnings: string[] = [];
  if (before.metric !== after.metric) {
    warnings.push(`the runs measured different things: ${before.metric} and ${after.metric}`);
  }
  for (const { runId, state } of [before, after]) {
    if (state !== 'completed')
      warnings.push(`run ${runId} is ${state}: its cells are not balanced`);
  }
  return warnings;
}
