import type { Plan, PlannedTrial } from '../../schemas/plan.ts';
import type { TrialResult } from '../../schemas/result.ts';
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
  /** Absent if the plan does not know the trial. */
  readonly planned?: PlannedTrial;
}

/**
 * Measures results and orders them by place in the plan, trial, attempt and device.
 *
 * @param results one per key
 */
export function measureResults(
  results: readonly TrialResult[],
  plan: Plan,
  kind: ProcedureKind,
  hosts: readonly HostSummary[],
): MeasuredResult[] {
  const plannedById = new Map(plan.trials.map((trial) => [trial.trialId, trial]));
  const hostOf = hostFinder(hosts);
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
  return measured.toSorted(compare);
}

/** One attempt at one trial: all devices share it. */
export function trialKey(result: Pick<TrialResult, 'trialId' | 'attempt'>): string {
  return `${result.trialId}/${result.attempt}`;
}

/** What starts at one instant: an attempt at a trial, or the wave of it that the device is in. */
export function startKey(result: Pick<TrialResult, 'trialId' | 'attempt' | 'start'>): string {
  return `${trialKey(result)}/${result.start?.wave ?? 0}`;
}

/** Puts values into lists by key; keys in the order they are first met. */
export function groupBy<T>(values: readonly T[], keyOf: (value: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const value of values) {
    const key = keyOf(value);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [value]);
    else group.push(value);
  }
  return groups;
}

function compare(a: MeasuredResult, b: MeasuredResult): number {
  const placeA = a.planned?.position ?? Number.MAX_SAFE_INTEGER;
  const placeB = b.planned?.position ?? Number.MAX_SAFE_INTEGER;
  if (placeA !== placeB) return placeA - placeB;
  if (a.result.trialId !== b.result.trialId) return a.result.trialId < b.result.trialId ? -1 : 1;
  if (a.result.attempt !== b.result.attempt) return a.result.attempt - b.result.attempt;
  return a.result.deviceId < b.result.deviceId ? -1 : 1;
}
