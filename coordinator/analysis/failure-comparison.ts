import type { CellSummary, Interval, RunSummary } from './run-summary.ts';
import { proportionDifference } from './statistics/proportions.ts';
import type { Proportion } from './statistics/proportions.ts';

/** What a comparison of failures comes to. */
export const FAILURE_VERDICTS = {
  'more-failures': 'the second run failed more often',
  'fewer-failures': 'the second run failed less often',
  'no-difference': 'no difference of the failure rates is shown',
} as const;
export type FailureVerdict = keyof typeof FAILURE_VERDICTS;

/** The failure rates of one cell in two runs. */
export interface FailureComparison {
  /** Failures among attempts, 0 to 1. */
  readonly rates: readonly [number, number];
  /** Independent attempts: trials on hosts. */
  readonly n: readonly [number, number];
  /** Second rate minus first, with an interval that holds for all cells of a comparison at once. */
  readonly difference: number;
  readonly interval: Interval;
  readonly verdict: FailureVerdict;
}

/** Chance of a wrong claim over all cells of a comparison together. */
const OVERALL_ERROR = 0.05;

/** What is needed of a run. */
type Hosts = Pick<RunSummary, 'hosts'>;

/**
 * Compares failure rates by Newcombe's interval, with its error divided by the number of cells (C.
 * Bonferroni, 1936). Invalid results were no failures. Agents that share a host count as one.
 *
 * @param cells how many cells are compared
 * @returns undefined if a run made no attempt
 */
export function compareFailures(
  [before, after]: readonly [CellSummary, CellSummary],
  [beforeRun, afterRun]: readonly [Hosts, Hosts],
  cells: number,
): FailureComparison | undefined {
  const [first, second] = [failuresOf(before, beforeRun), failuresOf(after, afterRun)];
  const found = proportionDifference(first, second, 1 - OVERALL_ERROR / Math.max(1, cells));
  if (found === undefined) return undefined;
  const { difference, interval } = found;
  return {
    rates: [first.events / first.n, second.events / second.n],
    n: [Math.round(first.n), Math.round(second.n)],
    difference,
    interval,
    verdict: verdictOf(interval),
  };
}

function verdictOf({ lower, upper }: Interval): FailureVerdict {
  if (lower > 0) return 'more-failures';
  return upper < 0 ? 'fewer-failures' : 'no-difference';
}

/** A trial gives one result per device, of which those that share a host are one. */
function failuresOf({ failures, attempts }: CellSummary, { hosts }: Hosts): Proportion {
  const devices = hosts.reduce((sum, { deviceIds }) => sum + deviceIds.length, 0);
  const independentShare = devices === 0 ? 1 : hosts.length / devices;
  return { events: failures * independentShare, n: attempts * independentShare };
}
