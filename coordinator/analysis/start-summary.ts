import type { Device } from '../../schemas/device.ts';
import type { ClockEstimate } from '../../schemas/clock.ts';
import type { StartRecord, TrialResult } from '../../schemas/result.ts';
import { BarrierTally } from './barrier-summary.ts';
import { ClockTally, SchedulingTally } from './device-clocks.ts';
import { durationStatistics } from './duration-statistics.ts';
import { groupBy, startKey } from './measured-result.ts';
import type { MeasuredResult } from './measured-result.ts';
import { defined } from './metrics.ts';
import type { StartPoint, StartSummary, TrialStart } from './run-summary.ts';
import { pairBound, rangeNs, spreadOf, toFleetInstant } from './spread.ts';
import { StartPoints } from './start-points.ts';

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
 * How well trials started together, trial by trial: every start that happened counts, also of
 * results that failed or are invalid, because leaving those out would flatter. Starts of two
 * devices are compared in fleet time only, and never without the bounds of both offsets; and only
 * within a wave, because waves start one after the other.
 */
export class StartTally {
  readonly #sharedClockOf: (deviceId: string) => string | undefined;
  readonly #waves: number;
  readonly #trials: TrialStart[] = [];
  readonly #points: StartPoints;
  readonly #latenessesNs: number[] = [];
  readonly #barriers = new BarrierTally();
  readonly #clocks = new ClockTally();
  readonly #scheduling = new SchedulingTally();

  /**
   * @param waves parts that the experiment divides the devices into
   * @param trialsPlanned by which it is known how many points there may be
   */
  constructor(devices: readonly Device[], waves: number, trialsPlanned: number) {
    this.#sharedClockOf = sharedClockFinder(devices);
    // A fleet of fewer devices has as many waves as devices.
    this.#waves = Math.max(1, Math.min(waves, devices.length));
    this.#points = new StartPoints(trialsPlanned, devices.length);
  }

  /** Adds the results of one trial. */
  add(measured: readonly MeasuredResult[]): void {
    const started = measured.flatMap((one): Started[] => {
      const { start, clock } = one.result;
      if (start === undefined) return [];
      return [{ measured: one, start, ...(clock === undefined ? {} : { clock }) }];
    });
    for (const together of groupBy(started, ({ measured: { result } }) =>
      startKey(result),
    ).values()) {
      const trial = trialStart(together, this.#sharedClockOf);
      if (trial !== undefined) this.#trials.push(trial);
    }
    for (const { start } of started) this.#latenessesNs.push(Number(start.latenessNs));
    this.#points.add(started.map(startPoint));
    const results = measured.map(({ result }) => result);
    this.#barriers.add(results);
    this.#clocks.add(results);
    this.#scheduling.add(results);
  }

  /** The figures so far. */
  summary(): StartSummary {
    const trials = this.#trials;
    const clocks = this.#clocks.summary();
    const bounds = clocks.map(({ boundMaxNs }) => boundMaxNs);
    const shared = defined(trials.map(({ sharedClockSpreadNs }) => sharedClockSpreadNs));
    return {
      waves: this.#waves,
      trials,
      points: this.#points.chosen(),
      pointsSeen: this.#latenessesNs.length,
      ...optional('spread', durationStatistics(trials.map(({ spreadNs }) => spreadNs))),
      ...optional('sharedClockSpread', durationStatistics(shared)),
      ...optional('lateness', durationStatistics(this.#latenessesNs)),
      barriers: this.#barriers.summary(),
      clocks,
      scheduling: this.#scheduling.summary(),
      ...optional('boundMaxNs', bounds.length === 0 ? undefined : Math.max(...bounds)),
      ...optional('pairBoundNs', pairBound(bounds)),
    };
  }
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
