import { quantile } from '../../../coordinator/analysis/quantile.ts';
import type { TrialResult } from '../../../schemas/result.ts';
import type { BenchmarkValue } from '../benchmark.ts';

/** What is known of a device's clock: the truth that estimates are held against. */
export interface KnownClock {
  /** The instant of fleet time at which its CLOCK_MONOTONIC showed this, ns. */
  toFleet(monoNs: bigint): bigint;
}

/** One trial of two devices. */
export interface StartTrial {
  /** Latest minus earliest start in true time, ns. */
  readonly spreadNs: number;
  /** Per device, if it states any: bound and true error of its estimate, ns. */
  readonly estimates: readonly { readonly boundNs: number; readonly errorNs: number }[];
}

/** Trials of one method over one link. */
export interface StartRow {
  readonly link: string;
  readonly method: string;
  readonly trials: StartTrial[];
  /** Results that failed or are invalid, which are not among the trials. */
  unusable: number;
  /** From the end of one trial to the last device armed, and from start to start, ms. */
  readonly armMs: number[];
  readonly trialMs: number[];
}

/** A trial from the results of its devices; undefined if one of them never started. */
export function startTrialOf(
  results: readonly TrialResult[],
  clockOf: (deviceId: string) => KnownClock,
): StartTrial | undefined {
  const starts: bigint[] = [];
  const estimates: { boundNs: number; errorNs: number }[] = [];
  for (const { deviceId, start, clock, status, invalid } of results) {
    if (start === undefined || clock === undefined || status !== 'ok' || invalid.length > 0) {
      return undefined;
    }
    const trueNs = clockOf(deviceId).toFleet(start.actualMonoNs);
    starts.push(trueNs);
    const errorNs = Number(start.actualMonoNs + clock.offsetNs - trueNs);
    estimates.push({ boundNs: Number(clock.boundNs), errorNs: Math.abs(errorNs) });
  }
  return { spreadNs: spreadOf(starts), estimates };
}

/** Latest minus earliest, ns. */
export function spreadOf(instantsNs: readonly bigint[]): number {
  const sorted = instantsNs.toSorted((left, right) => (left < right ? -1 : 1));
  return Number((sorted.at(-1) ?? 0n) - (sorted[0] ?? 0n));
}

/** Names of the columns that {@link rowValues} fills. */
export const START_COLUMNS = [
  ...['link', 'method', 'trials', 'unusable'],
  ...['spreadP50Us', 'spreadP99Us', 'spreadMaxUs', 'boundP50Us', 'boundMaxUs', 'insidePercent'],
  ...['errorP50Us', 'armP50Ms', 'trialP50Ms'],
] as const;

/** A row of the table. The bound is a device's; the share inside is over all devices and trials. */
export function rowValues(row: StartRow): BenchmarkValue[] {
  const spreads = row.trials.map(({ spreadNs }) => spreadNs);
  const estimates = row.trials.flatMap((trial) => trial.estimates);
  const bounds = estimates.map(({ boundNs }) => boundNs);
  const inside = estimates.filter(({ boundNs, errorNs }) => errorNs <= boundNs).length;
  return [
    ...[row.link, row.method, row.trials.length, row.unusable],
    ...[microseconds(quantile(spreads, 0.5)), microseconds(quantile(spreads, 0.99))],
    microseconds(maxOf(spreads)),
    ...[microseconds(quantile(bounds, 0.5)), microseconds(maxOf(bounds))],
    estimates.length === 0 ? undefined : (inside / estimates.length) * 100,
    microseconds(
      quantile(
        estimates.map(({ errorNs }) => errorNs),
        0.5,
      ),
    ),
    ...[quantile(row.armMs, 0.5), quantile(row.trialMs, 0.5)],
  ];
}

function microseconds(valueNs: number | undefined): number | undefined {
  return valueNs === undefined ? undefined : valueNs / 1000;
}

function maxOf(values: readonly number[]): number | undefined {
  return values.length === 0 ? undefined : Math.max(...values);
}
