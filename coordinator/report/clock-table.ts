import { formatMs } from '../analysis/format-ms.ts';
import type { DeviceClock, DeviceScheduling, StartSummary } from '../analysis/run-summary.ts';
import type { Markup } from './markup.ts';
import { textTable } from './text-table.ts';

const ABSENT = '–';

/**
 * How each device was scheduled, and how well it knew fleet time. Undefined if no device started
 * or knew it.
 */
export function clockTable({ clocks, scheduling }: StartSummary): Markup | undefined {
  const clockOf = new Map(clocks.map((clock) => [clock.deviceId, clock]));
  const schedulingOf = new Map(scheduling.map((one) => [one.deviceId, one]));
  const deviceIds = [...new Set([...clockOf.keys(), ...schedulingOf.keys()])].toSorted();
  return textTable(
    'Scheduling and clocks: class of the measuring process; bound, age, drift and probes of the ' +
      "device's estimates of fleet time. Bracketed: with probes before and after the start",
    [
      'device',
      'scheduling class',
      'largest bound, ms',
      'median bound, ms',
      'median age, ms',
      'drift, ppm',
      'bracketed',
      'smallest round trip, ms',
    ],
    deviceIds.map((deviceId) => [
      deviceId,
      classText(schedulingOf.get(deviceId)),
      ...clockTexts(clockOf.get(deviceId)),
    ]),
  );
}

function classText(scheduling: DeviceScheduling | undefined): string {
  if (scheduling === undefined) return ABSENT;
  const { classes, reasons } = scheduling;
  return [classes.join(', '), ...reasons].join('; ');
}

function clockTexts(clock: DeviceClock | undefined): string[] {
  if (clock === undefined) return Array.from({ length: 6 }, () => ABSENT);
  const { driftPpb } = clock;
  return [
    formatMs(clock.boundMaxNs),
    formatMs(clock.boundMedianNs),
    formatMs(clock.ageMedianNs),
    driftPpb === undefined ? ABSENT : (driftPpb / 1000).toFixed(2),
    `${(clock.bracketedShare * 100).toFixed(0)} % of ${clock.estimates}`,
    formatMs(clock.roundTripMinNs),
  ];
}
