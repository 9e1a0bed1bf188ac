import type { Device } from '../../schemas/device.ts';
import type { ClockEstimate } from '../../schemas/clock.ts';
import type { StartRecord, TrialResult } from '../../schemas/result.ts';
import { durationStatistics } from './duration-statistics.ts';
import { groupBy, trialKey } from './measured-result.ts';
import type { MeasuredResult } from './measured-result.ts';
import { defined } from './metrics.ts';
import type { DeviceClock, StartPoint, StartSummary, TrialStart } from './run-summary.ts';

interface Started {
  readonly measured: MeasuredResult;
  readonly start: StartRecord;
  readonly clock?: ClockEstimate;
}

/**
 * How well trials started together: every start that happened counts, also of results that failed
 * or are invalid, because leaving those out would flatter. Starts of two devices are compared in
 * fleet time only, and never without the bounds of both offsets.
 */
export function summariseStart(
  measured: readonly MeasuredResult[],
  devices: readonly Device[],
): StartSummary {
  const started = measured.flatMap((one): Started[] => {
    const { start, clock } = one.result;
    if (start === undefined) return [];
    return [{ measured: one, start, ...(clock === undefined ? {} : { clock }) }];
  });
  const clockOf = sharedClockFinder(devices);
  const trials = [...groupBy(started, ({ measured: { result } }) => trialKey(result)).values()]
    .map((together) => trialStart(together, clockOf))
    .filter((trial) => trial !== undefined);
  const clocks = deviceClocks(measured.map(({ result }) => result));
  const bounds = clocks.map(({ boundMaxNs }) => boundMaxNs);
  return {
    trials,
    points: started.map(startPoint),
    ...optional('spread', durationStatistics(trials.map(({ spreadNs }) => spreadNs))),
    ...optional(
      'sharedClockSpread',
      durationStatistics(defined(trials.map(({ sharedClockSpreadNs }) => sharedClockSpreadNs))),
    ),
    ...optional(
      'lateness',
      durationStatistics(started.map(({ start }) => Number(start.latenessNs))),
    ),
    clocks,
    ...optional('boundMaxNs', bounds.length === 0 ? undefined : Math.max(...bounds)),
    ...optional('pairBoundNs', pairBound(bounds)),
  };
}

function trialStart(
  together: readonly Started[],
  clockOf: (deviceId: string) => string | undefined,
): TrialStart | undefined {
  const synchronised = together.flatMap(({ measured: { result }, start, clock }) =>
    clock === undefined ? [] : [{ result, start, clock }],
  );
  const [first] = together;
  const fleetTimes = new Set(synchronised.map(({ clock }) => clock.fleetTime));
  // Two timekeepers' clocks have no known relation.
  if (first === undefined || synchronised.length < 2 || fleetTimes.size > 1) return undefined;
  const boundNs = pairBound(synchronised.map(({ clock }) => Number(clock.boundNs)));
  if (boundNs === undefined) return undefined;
  const { result, planned } = first.measured;
  const shared = new Set(synchronised.map(({ result: { deviceId } }) => clockOf(deviceId)));
  const isShared = shared.size === 1 && !shared.has(undefined);
  return {
    trialId: result.trialId,
    attempt: result.attempt,
    ...optional('position', planned?.position),
    devices: synchronised.length,
    spreadNs: rangeNs(synchronised.map(({ start, clock }) => start.actualMonoNs + clock.offsetNs)),
    boundNs,
    ...(isShared
      ? { sharedClockSpreadNs: rangeNs(synchronised.map(({ start }) => start.actualMonoNs)) }
      : {}),
  };
}

function startPoint({ measured: { result, planned }, start, clock }: Started): StartPoint {
  return {
    trialId: result.trialId,
    attempt: result.attempt,
    ...optional('position', planned?.position),
    deviceId: result.deviceId,
    latenessNs: Number(start.latenessNs),
    ...optional('boundNs', clock === undefined ? undefined : Number(clock.boundNs)),
  };
}

function deviceClocks(results: readonly TrialResult[]): DeviceClock[] {
  return [...groupBy(results, ({ deviceId }) => deviceId)]
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .flatMap(([deviceId, own]): DeviceClock[] => {
      const bounds = defined(own.map(({ clock }) => clock?.boundNs)).map(Number);
      return bounds.length === 0 ? [] : [{ deviceId, boundMaxNs: Math.max(...bounds) }];
    });
}

/** CLOCK_MONOTONIC is one clock for all processes of one boot and time namespace. */
function sharedClockFinder(devices: readonly Device[]): (deviceId: string) => string | undefined {
  const clocks = new Map<string, string>();
  for (const { presence } of devices) {
    const { bootId, timeNamespace } = presence.facts;
    if (bootId === '' || timeNamespace === '') continue;
    clocks.set(presence.deviceId, `${bootId} ${timeNamespace}`);
  }
  return (deviceId) => clocks.get(deviceId);
}

/** The limit of the error of a difference between two devices: both may err, in both ways. */
function pairBound(boundsNs: readonly number[]): number | undefined {
  const [largest, second] = boundsNs.toSorted((a, b) => b - a);
  return largest === undefined || second === undefined ? undefined : largest + second;
}

function rangeNs(instants: readonly bigint[]): number {
  const [first = 0n] = instants;
  let earliest = first;
  let latest = first;
  for (const instant of instants) {
    if (instant < earliest) earliest = instant;
    if (instant > latest) latest = instant;
  }
  return Number(latest - earliest);
}

function optional<K extends string, V>(key: K, value: V | undefined): Partial<Record<K, V>> {
  return value === undefined ? {} : ({ [key]: value } as Record<K, V>);
}
