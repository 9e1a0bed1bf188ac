import type { TrialResult } from '../../schemas/result.ts';
import { median } from './quantile.ts';
import type { DeviceClock, DeviceScheduling } from './run-summary.ts';

interface Estimates {
  readonly boundsNs: number[];
  readonly agesNs: number[];
  readonly driftsPpb: number[];
  roundTripMinNs: number;
  bracketed: number;
}

/** What each device's estimates of fleet time were like; devices without any are left out. */
export class ClockTally {
  readonly #byDevice = new Map<string, Estimates>();

  /** Adds results. */
  add(results: readonly TrialResult[]): void {
    for (const { deviceId, clock } of results) {
      if (clock === undefined) continue;
      const own = this.#byDevice.get(deviceId) ?? noEstimates();
      this.#byDevice.set(deviceId, own);
      own.boundsNs.push(Number(clock.boundNs));
      own.agesNs.push(Number(clock.ageNs));
      if (clock.driftPpb !== undefined) own.driftsPpb.push(clock.driftPpb);
      own.roundTripMinNs = Math.min(own.roundTripMinNs, Number(clock.roundTripMinNs));
      if (clock.bracketed) own.bracketed += 1;
    }
  }

  /** The figures so far, by device id. */
  summary(): DeviceClock[] {
    return byId(this.#byDevice).flatMap(([deviceId, own]): DeviceClock[] => {
      const { boundsNs, agesNs, driftsPpb, roundTripMinNs, bracketed } = own;
      const boundMedianNs = median(boundsNs);
      const ageMedianNs = median(agesNs);
      if (boundMedianNs === undefined || ageMedianNs === undefined) return [];
      const driftPpb = median(driftsPpb);
      return [
        {
          deviceId,
          estimates: boundsNs.length,
          boundMaxNs: boundsNs.reduce((most, value) => Math.max(most, value), -Infinity),
          boundMedianNs,
          ageMedianNs,
          roundTripMinNs,
          bracketedShare: bracketed / boundsNs.length,
          ...(driftPpb === undefined ? {} : { driftPpb }),
        },
      ];
    });
  }
}

function noEstimates(): Estimates {
  return { boundsNs: [], agesNs: [], driftsPpb: [], roundTripMinNs: Infinity, bracketed: 0 };
}

interface Scheduled {
  starts: number;
  readonly classes: Set<string>;
  readonly reasons: Set<string>;
}

/** How the measuring process of each device that started a trial was scheduled. */
export class SchedulingTally {
  readonly #byDevice = new Map<string, Scheduled>();

  /** Adds results. */
  add(results: readonly TrialResult[]): void {
    for (const { deviceId, start } of results) {
      if (start === undefined) continue;
      const own = this.#byDevice.get(deviceId) ?? {
        starts: 0,
        classes: new Set(),
        reasons: new Set(),
      };
      this.#byDevice.set(deviceId, own);
      own.starts += 1;
      own.classes.add(start.schedulingClass);
      if (start.schedulingReason !== undefined) own.reasons.add(start.schedulingReason);
    }
  }

  /** The figures so far, by device id. */
  summary(): DeviceScheduling[] {
    return byId(this.#byDevice).map(([deviceId, { starts, classes, reasons }]) => ({
      deviceId,
      starts,
      classes: [...classes],
      reasons: [...reasons],
    }));
  }
}

function byId<V>(byDevice: ReadonlyMap<string, V>): [string, V][] {
  return [...byDevice].toSorted(([a], [b]) => (a < b ? -1 : 1));
}
