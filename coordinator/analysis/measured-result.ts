import type { Plan, PlannedTrial } from '../../schemas/plan.ts';
import type { TrialResult } from '../../schemas/result.ts';
import type { Run } from '../../schemas/run.ts';
import { hostFinder } from './co-location.ts';
import { measure } from './metrics.ts';
import type { Measures, ProcedureKind } from './metrics.ts';
import { outcomeOf } from './result-outcome.ts';
import type { Outcome } from './result-outcome.ts';
import type { HostSummary } from './run-summary.ts';

/** A result with what it measures, what it counts as, and where it belongs. */
export interface MeasuredResult {
  readonly result: TrialResult;
  readonly measures: Measures;
  readonly outcome: Outcome;
  readonly host: string;
  /** Absent if the plan does not know the trial, or nobody knows the order of the trials. */
  readonly planned?: PlannedTrial;
}

/** What must be known of a run to measure its results. */
export interface MeasureContext {
  readonly kind: ProcedureKind;
  readonly plannedById: ReadonlyMap<string, PlannedTrial>;
  readonly hostOf: (deviceId: string) => string;
}

/** The context of a run's results. */
export function measureContext(
  run: Run,
  plan: Plan,
  hosts: readonly HostSummary[],
): MeasureContext {
  // A place in a file says nothing of time, so no trial has one where the order is unknown.
  const placed = plan.order === 'unknown' ? [] : plan.trials;
  return {
    kind: run.experiment.procedure.kind,
    plannedById: new Map(placed.map((trial) => [trial.trialId, trial])),
    hostOf: hostFinder(hosts),
  };
}

/**
 * Measures the results of one trial and orders them by attempt and device.
 *
 * @param results of one trial, one per key
 */
export function measureTrial(
  results: readonly TrialResult[],
  { kind, plannedById, hostOf }: MeasureContext,
): MeasuredResult[] {
  const measured = results.map((result): MeasuredResult => {
    const measures = measure(result, kind);
    const planned = plannedById.get(result.trialId);
    return {
      result,
      measures,
      outcome: outcomeOf(result, measures.latencyNs),
      host: hostOf(result.deviceId),
      ...(planned === undefined ? {} : { planned }),
    };
  });
  return measured.sort(compare);
}

/**
 * Results by trial, in the order of the plan; then those that the plan does not know, by id.
 *
 * @param results one per key, in any order
 */
export function trialsInOrder(results: readonly TrialResult[], plan: Plan): TrialResult[][] {
  const byTrial = groupBy(results, ({ trialId }) => trialId);
  const planned = plan.trials.flatMap(({ trialId }) => {
    const own = byTrial.get(trialId);
    byTrial.delete(trialId);
    return own === undefined ? [] : [own];
  });
  const unknown = [...byTrial].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, own]) => own);
  return [...planned, ...unknown];
}

/**
 * What starts at one instant, among the results of one trial: an attempt at it, or the wave of that
 * which the device is in. A number where it can be, because a run may have a million starts.
 */
export function startKey({
  attempt,
  start,
}: Pick<TrialResult, 'attempt' | 'start'>): string | number {
  const wave = start?.wave ?? 0;
  return attempt === 1 ? wave : `${attempt}/${wave}`;
}

/** Puts values into lists by key; keys in the order they are first met. */
export function groupBy<T, K extends string | number>(
  values: readonly T[],
  keyOf: (value: T) => K,
): Map<K, T[]> {
  const groups = new Map<K, T[]>();
  for (const value of values) {
    const key = keyOf(value);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [value]);
    else group.push(value);
  }
  return groups;
}

function compare({ result: a }: MeasuredResult, { result: b }: MeasuredResult): number {
  if (a.attempt !== b.attempt) return a.attempt - b.attempt;
  return a.deviceId < b.deviceId ? -1 : 1;
}
