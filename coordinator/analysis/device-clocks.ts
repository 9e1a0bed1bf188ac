import type { ClockEstimate } from '../../schemas/clock.ts';
import type { TrialResult } from '../../schemas/result.ts';
import { groupBy } from './measured-result.ts';
import { defined } from './metrics.ts';
import { median } from './quantile.ts';
import type { DeviceClock, DeviceScheduling } from './run-summary.ts';

/** What each device's estimates of fleet time were like; devices without any are left out. */
export function deviceClocks(results: readonly TrialResult[]): DeviceClock[] {
  return byDevice(results).flatMap(([deviceId, own]): DeviceClock[] => {
    const clocks = defined(own.map(({ clock }) => clock));
    const valuesOf = (read: (clock: ClockEstimate) => bigint): number[] =>
      clocks.map((clock) => Number(read(clock)));
    const boundsNs = valuesOf(({ boundNs }) => boundNs);
    const boundMedianNs = median(boundsNs);
    const ageMedianNs = median(valuesOf(({ ageNs }) => ageNs));
    if (boundMedianNs === undefined || ageMedianNs === undefined) return [];
    const driftPpb = median(defined(clocks.map((clock) => clock.driftPpb)));
    const bracketed = clocks.filter((clock) => clock.bracketed).length;
    return [
      {
        deviceId,
        estimates: clocks.length,
        boundMaxNs: greatest(boundsNs),
        boundMedianNs,
        ageMedianNs,
        roundTripMinNs: least(valuesOf(({ roundTripMinNs }) => roundTripMinNs)),
        bracketedShare: bracketed / clocks.length,
        ...(driftPpb === undefined ? {} : { driftPpb }),
      },
    ];
  });
}

/** How the measuring process of each device that started a trial was scheduled. */
export function deviceScheduling(results: readonly TrialResult[]): DeviceScheduling[] {
  return byDevice(results).flatMap(([deviceId, own]): DeviceScheduling[] => {
    const starts = defined(own.map(({ start }) => start));
    if (starts.length === 0) return [];
    const reasons = defined(starts.map(({ schedulingReason }) => schedulingReason));
    return [
      {
        deviceId,
        starts: starts.length,
        classes: [...new Set(starts.map(({ schedulingClass }) => schedulingClass))],
        reasons: [...new Set(reasons)],
      },
    ];
  });
}

function byDevice(results: readonly TrialResult[]): [string, TrialResult[]][] {
  return [...groupBy(results, ({ deviceId }) => deviceId)].toSorted(([a], [b]) => (a < b ? -1 : 1));
}

function greatest(values: readonly number[]): number {
  return values.reduce((most, value) => Math.max(most, value), -Infinity);
}

function least(values: readonly number[]): number {
  return values.reduce((most, value) => Math.min(most, value), Infinity);
}
