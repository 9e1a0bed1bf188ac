import type { Device } from '../../schemas/device.ts';
import type { ClockEstimate } from '../../schemas/clock.ts';
import type { StartRecord, TrialResult } from '../../schemas/result.ts';
import { summariseBarriers } from './barrier-summary.ts';
import { deviceClocks, deviceScheduling } from './device-clocks.ts';
import { durationStatistics } from './duration-statistics.ts';
import { groupBy, startKey } from './measured-result.ts';
import type { MeasuredResult } from './measured-result.ts';
import { defined } from './metrics.ts';
import type { StartPoint, StartSummary, TrialStart } from './run-summary.ts';
import { pairBound, rangeNs, spreadOf, toFleetInstant } from './spread.ts';

interface Started {
  readonly measured: MeasuredResult;
  readonly start: StartRecord;
  readonly clock?: ClockEstimate;
}

/**
 * Actual minus ordered start in fleet time, ns, by the offset that was found in the end. Undefined
 * for a result without a start or without an estimate of the clock.
 */
export function fleetLatenessNs({
  start,
  clock,
}: Pick<TrialResult, 'start' | 'clock'>): number | undefined {
  if (start === undefined || clock === undefined) return undefined;
  return Number(start.actualMonoNs + clock.offsetNs - start.targetFleetNs);
}

/**
 * How well trials started together: every start that happened counts, also of results that failed
 * or are invalid, because leaving those out would flatter. Starts of two devices are compared in
 * fleet time only, and never without the bounds of both offsets; and only within a wave, because
 * waves start one after the other.
 *
 * @param waves parts that the experiment divides the devices into
 */
export function summariseStart(
  measured: readonly MeasuredResult[],
  devices: readonly Device[],
  waves: number,
): StartSummary {
  const started = measured.flatMap((one): Started[] => {
    const { start, clock } = one.result;
    if (start === undefined) return [];
    return [{ measured: one, start, ...(clock === undefined ? {} : { clock }) }];
  });
  const clockOf = sharedClockFinder(devices);
  const trials = [...groupBy(started, ({ measured: { result } }) => startKey(result)).values()]
    .map((together) => trialStart(together, clockOf))
    .filter((trial) => trial !== undefined);
  const results = measured.map(({ result }) => result);
  const clocks = deviceClocks(results);
  const bounds = clocks.map(({ boundMaxNs }) => boundMaxNs);
  return {
    // A fleet of fewer devices has as many waves as devices.
    waves: Math.max(1, Math.min(waves, devices.length)),
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
    barriers: summariseBarriers(results),
    clocks,
    scheduling: deviceScheduling(results),
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
  const spread = spreadOf(
    synchronised.map(({ start: { actualMonoNs }, clock }) =>
      toFleetInstant(clock, actualMonoNs, actualMonoNs),
    ),
  );
  if (first === undefined || spread === undefined) return undefined;
  const { result, planned } = first.measured;
  const shared = new Set(synchronised.map(({ result: { deviceId } }) => clockOf(deviceId)));
  const isShared = shared.size === 1 && !shared.has(undefined);
  return {
    trialId: result.trialId,
    attempt: result.attempt,
    ...optional('position', planned?.position),
    wave: first.start.wave,
    devices: synchronised.length,
    ...spread,
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
    wave: start.wave,
    latenessNs: Number(start.latenessNs),
    ...optional('fleetLatenessNs', fleetLatenessNs(result)),
    ...optional('boundNs', clock === undefined ? undefined : Number(clock.boundNs)),
  };
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

function optional<K extends string, V>(key: K, value: V | undefined): Partial<Record<K, V>> {
  return value === undefined ? {} : ({ [key]: value } as Record<K, V>);
}
