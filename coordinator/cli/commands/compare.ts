import { compareRuns, VERDICTS } from '../../analysis/comparison.ts';
import type { CellComparison, RunComparison, Verdict } from '../../analysis/comparison.ts';
import { formatMs } from '../../analysis/format-ms.ts';
import { EXIT_CODES } from '../exit-codes.ts';
import { readRunSummary } from '../report-files.ts';
import type { Session, Work } from '../session.ts';
import { textTable } from '../text-table.ts';

/** What `lockstep compare` and `lockstep regress` take. */
export interface CompareOptions {
  /** Change of a median that does not matter, percent. */
  readonly margin: number;
  readonly json?: boolean;
}

/** The same interval at every call: a comparison is a function of its two runs. */
const SEED = 1;

/** Verdicts by which `regress` fails, and by which it can't say. */
const REGRESSIONS: readonly Verdict[] = ['slower'];
const OPEN: readonly Verdict[] = ['undecided', 'too-few', 'missing', 'slightly-slower'];

/** Compares two runs, cell by cell. Needs no coordinator. */
export function compare(firstId: string, secondId: string, options: CompareOptions): Work {
  return async (session) => {
    await show(session, [firstId, secondId], options);
    return EXIT_CODES.ok;
  };
}

/**
 * Compares a run with a baseline for use in a pipeline: exit code 6 if a cell has become slower by
 * more than the margin, 7 if none has, but for some it can't be said.
 */
export function regress(baselineId: string, runId: string, options: CompareOptions): Work {
  return async (session) => {
    const { cells } = await show(session, [baselineId, runId], options);
    const has = (verdicts: readonly Verdict[]): boolean =>
      cells.some(({ verdict }) => verdicts.includes(verdict));
    if (has(REGRESSIONS)) return EXIT_CODES.regression;
    return cells.length === 0 || has(OPEN) ? EXIT_CODES.undecided : EXIT_CODES.ok;
  };
}

async function show(
  { home, output }: Session,
  [firstId, secondId]: readonly [string, string],
  { margin, json }: CompareOptions,
): Promise<RunComparison> {
  const before = await readRunSummary(home.folder, firstId);
  const after = await readRunSummary(home.folder, secondId);
  const options = { margin: margin / 100, seed: SEED };
  const comparison = compareRuns(before.summary, after.summary, options);
  for (const warning of comparison.warnings) output.say(`warning: ${warning}`);
  if (json === true) output.result(JSON.stringify(comparison, null, 2));
  else output.result(comparisonTable(comparison));
  return comparison;
}

/** The comparison as text; pure. */
export function comparisonTable({ runIds, margin, cells }: RunComparison): string {
  const header = ['cell', 'n', 'before', 'after', 'ratio', '95 % interval', 'A12', 'p', 'verdict'];
  const verdicts = [...new Set(cells.map(({ verdict }) => verdict))];
  return [
    `${runIds[0]} (before) and ${runIds[1]} (after); medians in ms; margin ${margin * 100} %`,
    '',
    textTable(header, cells.map(rowOf)),
    '',
    ...verdicts.map((verdict) => `${verdict}: ${VERDICTS[verdict]}.`),
    'A12: chance that a value after is larger than one before. p: rank sum test, by Holm.',
  ].join('\n');
}

function rowOf({ cellId, n, mediansNs, ratio, effect, pAdjusted, verdict }: CellComparison) {
  const [before, after] = mediansNs.map((value) => (value === undefined ? '-' : formatMs(value)));
  const interval = ratio?.interval;
  return [
    cellId,
    n.join(' '),
    before ?? '-',
    after ?? '-',
    ratio === undefined ? '-' : ratio.ratio.toFixed(3),
    interval === undefined ? '-' : `[${interval.lower.toFixed(3)}, ${interval.upper.toFixed(3)}]`,
    effect === undefined ? '-' : effect.a12.toFixed(2),
    pAdjusted === undefined ? '-' : pAdjusted.toPrecision(2),
    verdict,
  ];
}
