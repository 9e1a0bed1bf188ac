import { compareRuns } from '../../analysis/comparison.ts';
import type { RunComparison, Verdict } from '../../analysis/comparison.ts';
import { compareWithItself } from '../../analysis/self-comparison.ts';
import { LockstepError } from '../../../schemas/errors.ts';
import { comparisonTable, selfComparisonText } from '../comparison-table.ts';
import { EXIT_CODES } from '../exit-codes.ts';
import { readRunSummary } from '../report-files.ts';
import type { Session, Work } from '../session.ts';

/** What `lockstep compare` and `lockstep regress` take. */
export interface CompareOptions {
  /** Change of a median that does not matter, percent. */
  readonly margin: number;
  readonly json?: boolean;
  /** Compare halves of one run. */
  readonly self?: boolean;
}

/** The same interval at every call: a comparison is a function of its two runs. */
const SEED = 1;

/** Verdicts by which `regress` fails, and by which it can't say. */
const REGRESSIONS: readonly Verdict[] = ['slower'];
const OPEN: readonly Verdict[] = ['undecided', 'too-few', 'missing', 'slightly-slower'];

/** Compares two runs, cell by cell, or with `self` one run with itself. Needs no coordinator. */
export function compare(
  firstId: string,
  secondId: string | undefined,
  options: CompareOptions,
): Work {
  return async (session) => {
    if (options.self === true) {
      if (secondId !== undefined) throw usage('--self takes one run');
      await showSelf(session, firstId, options);
    } else {
      if (secondId === undefined) throw usage('compare needs two runs, or one and --self');
      await show(session, [firstId, secondId], options);
    }
    return EXIT_CODES.ok;
  };
}

/**
 * Compares a run with a baseline for use in a pipeline: exit code 6 if a cell has become slower by
 * more than the margin or fails more often, 7 if none has, but for some it can't be said.
 */
export function regress(baselineId: string, runId: string, options: CompareOptions): Work {
  return async (session) => {
    const { cells } = await show(session, [baselineId, runId], options);
    const has = (verdicts: readonly Verdict[]): boolean =>
      cells.some(({ verdict }) => verdicts.includes(verdict));
    const failsMore = cells.some(({ failures }) => failures?.verdict === 'more-failures');
    if (failsMore || has(REGRESSIONS)) return EXIT_CODES.regression;
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
  const comparison = compareRuns(before.summary, after.summary, {
    margin: margin / 100,
    seed: SEED,
    runs: [before.run, after.run],
  });
  for (const warning of comparison.warnings) output.say(`warning: ${warning}`);
  if (json === true) output.result(JSON.stringify(comparison, null, 2));
  else output.result(comparisonTable(comparison));
  return comparison;
}

async function showSelf(
  { home, output }: Session,
  runId: string,
  { margin, json }: CompareOptions,
): Promise<void> {
  const { summary } = await readRunSummary(home.folder, runId);
  const comparison = compareWithItself(summary, { margin: margin / 100, seed: SEED });
  if (json === true) output.result(JSON.stringify(comparison, null, 2));
  else output.result(selfComparisonText(comparison));
}

function usage(message: string): LockstepError {
  return new LockstepError('USAGE', message, { hint: 'See: lockstep compare --help' });
}
