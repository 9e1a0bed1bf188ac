import { compareRuns } from './comparison.ts';
import type { ComparableRun, RunComparison } from './comparison.ts';
import { durationStatistics } from './duration-statistics.ts';
import type { CellSummary, Unit } from './run-summary.ts';

/** The ways in which a run is split, and what a difference of the halves would mean. */
export const SPLITS = {
  'odd-even': 'odd against even repetitions: a difference is chance, or noise with a period',
  'first-second': 'first against second half: a difference is a drift, or a step',
} as const;
export type Split = keyof typeof SPLITS;

/** One run against itself. */
export interface SelfComparison {
  readonly runId: string;
  readonly halves: readonly { readonly split: Split; readonly comparison: RunComparison }[];
  /** Cells and splits whose halves differ more than chance allows. Empty if none. */
  readonly distinguished: readonly { readonly split: Split; readonly cellId: string }[];
  /** Cells with too few values for any difference to be shown. */
  readonly untestable: readonly string[];
}

/** Chance that a set-up which does not change is said to distinguish itself from itself. */
const OVERALL_ERROR = 0.05;

/**
 * The A/A check: halves of a run are compared as if they were two runs. What is called a difference
 * is one by the rank sum test, corrected by Holm over the cells and by Bonferroni over the splits;
 * a set-up that differs from itself can't show that something else differs.
 */
export function compareWithItself(
  summary: ComparableRun,
  options: { readonly margin: number; readonly seed: number },
): SelfComparison {
  const names = Object.keys(SPLITS) as Split[];
  const halves = names.map((split) => {
    const [first, second] = [halfOf(summary, split, 0), halfOf(summary, split, 1)];
    return { split, comparison: compareRuns(first, second, options) };
  });
  const level = OVERALL_ERROR / names.length;
  const distinguished = halves.flatMap(({ split, comparison }) =>
    comparison.cells
      .filter(({ pAdjusted = 1 }) => pAdjusted <= level)
      .map(({ cellId }) => ({ split, cellId })),
  );
  const untestable = new Set(
    halves.flatMap(({ comparison: { cells } }) =>
      cells.filter(({ n }) => leastP(n) * cells.length > level).map(({ cellId }) => cellId),
    ),
  );
  return { runId: summary.runId, halves, distinguished, untestable: [...untestable] };
}

/** The smallest p value that the rank sum test can give: for samples that do not overlap. */
function leastP([first, second]: readonly [number, number]): number {
  let orders = 1;
  for (let index = 1; index <= first; index += 1) orders *= (second + index) / index;
  return Math.min(1, 2 / orders);
}

/** The run as if only half of its trials had been; failures are not split. */
function halfOf(summary: ComparableRun, split: Split, half: 0 | 1): ComparableRun {
  return {
    ...summary,
    runId: `${summary.runId} (${split.split('-')[half] ?? ''})`,
    // Whether it was completed says nothing about how it was split.
    state: 'completed',
    cells: summary.cells.map((cell) => halfOfCell(cell, split, half)),
  };
}

function halfOfCell(cell: CellSummary, split: Split, half: 0 | 1): CellSummary {
  const trials = [...new Set(inOrder(cell.units).map(trialOf))];
  const chosen = new Set(
    trials.filter((_, index) =>
      split === 'odd-even' ? index % 2 === half : (index < trials.length / 2 ? 0 : 1) === half,
    ),
  );
  const units = cell.units.filter((unit) => chosen.has(trialOf(unit)));
  const latency = durationStatistics(units.map(({ valueNs }) => valueNs));
  const { latency: whole, ...rest } = cell;
  const hasLatency = whole !== undefined && latency !== undefined;
  return { ...rest, attempts: 0, units, ...(hasLatency ? { latency } : {}) };
}

/** By place in the plan; a trial that the plan does not know keeps its place in the list. */
function inOrder(units: readonly Unit[]): Unit[] {
  return units.toSorted((left, right) => (left.position ?? 0) - (right.position ?? 0));
}

function trialOf({ trialId, attempt }: Unit): string {
  return `${trialId} ${attempt}`;
}
