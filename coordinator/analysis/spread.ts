import { DRIFT_ALLOWANCE_PPM } from '../../schemas/clock.ts';
import type { ClockEstimate } from '../../schemas/clock.ts';

/** An instant in fleet time and the limit of its error. */
export interface FleetInstant {
  readonly fleetTime: string;
  readonly fleetNs: bigint;
  readonly boundNs: number;
}

/**
 * An instant of a device's own clock in fleet time. The estimate of the clock is for the start of
 * the trial; away from that instant the bound grows by the drift allowance.
 *
 * @param atMonoNs the instant to turn into fleet time
 * @param startMonoNs the instant that the estimate is for
 */
export function toFleetInstant(
  clock: ClockEstimate,
  atMonoNs: bigint,
  startMonoNs: bigint,
): FleetInstant {
  const distanceNs = Math.abs(Number(atMonoNs - startMonoNs));
  return {
    fleetTime: clock.fleetTime,
    fleetNs: atMonoNs + clock.offsetNs,
    boundNs: Number(clock.boundNs) + (distanceNs * DRIFT_ALLOWANCE_PPM) / 1e6,
  };
}

/** How far instants lie apart, and the limit of the error of that; both ns. */
export interface Spread {
  readonly spreadNs: number;
  readonly boundNs: number;
}

/**
 * The latest minus the earliest instant. Undefined for fewer than two, and across two fleet times:
 * two timekeepers' clocks have no known relation.
 */
export function spreadOf(instants: readonly FleetInstant[]): Spread | undefined {
  if (new Set(instants.map(({ fleetTime }) => fleetTime)).size > 1) return undefined;
  const boundNs = pairBound(instants.map((instant) => instant.boundNs));
  if (boundNs === undefined) return undefined;
  return { spreadNs: rangeNs(instants.map(({ fleetNs }) => fleetNs)), boundNs };
}

/** The limit of the error of a difference between two devices: both may err, in both ways. */
export function pairBound(boundsNs: readonly number[]): number | undefined {
  const [largest, second] = boundsNs.toSorted((a, b) => b - a);
  return largest === undefined || second === undefined ? undefined : largest + second;
}

/** The latest minus the earliest of some instants of one clock, ns; 0 for none. */
export function rangeNs(instants: readonly bigint[]): number {
  const [first = 0n] = instants;
  let earliest = first;
  let latest = first;
  for (const instant of instants) {
    if (instant < earliest) earliest = instant;
    if (instant > latest) latest = instant;
  }
  return Number(latest - earliest);
}
