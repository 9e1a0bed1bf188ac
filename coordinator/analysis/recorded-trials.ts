import type { Plan } from '../../schemas/plan.ts';
import type { TrialResult } from '../../schemas/result.ts';
import type { Run } from '../../schemas/run.ts';
import { distinctResults } from './distinct-results.ts';
import { trialsInOrder } from './measured-result.ts';
import { SummaryFold } from './summary.ts';
import type { Note, RunSummary } from './run-summary.ts';
import type { SampleFindings } from './telemetry-summary.ts';

/** The results of a run, one per key, however many there are. */
export interface RecordedTrials {
  /** What was read and left out. */
  readonly counts: RunSummary['results'];
  /** What had to be left out because it is damaged. Absent if nothing is. */
  readonly damage?: Pick<Note, 'message' | 'remedy'>;
  /** What is wrong with the run's samples, or that it has none. Absent if it is not known. */
  readonly samples?: SampleFindings | 'none';
  /**
   * All results of one trial after another, in the order of the plan. May be called again.
   *
   * @param forFigures true if what no figure is made of (addresses, responses, usage) may be absent
   */
  read(forFigures?: boolean): AsyncIterable<readonly TrialResult[]>;
}

/** Results that are at hand, in any order and with copies. */
export function recordedTrials(
  run: Run,
  plan: Plan,
  results: readonly TrialResult[],
): Omit<RecordedTrials, 'damage'> {
  const { results: distinct, counts } = distinctResults(run.runId, results);
  const trials = trialsInOrder(distinct, plan);
  return {
    counts,
    async *read() {
      for (const trial of trials) yield await Promise.resolve(trial);
    },
  };
}

/** Puts a run into figures, reading its results once. */
export async function summariseTrials(
  run: Run,
  plan: Plan,
  trials: RecordedTrials,
): Promise<RunSummary> {
  const fold = new SummaryFold(run, plan);
  for await (const trial of trials.read(true)) fold.add(trial);
  return fold.summary(trials.counts, trials.damage, trials.samples);
}
