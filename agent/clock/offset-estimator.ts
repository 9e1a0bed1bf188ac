import { LockstepError } from '../../schemas/errors.ts';

/**
 * How far two clocks can drift apart, parts per million: the fastest slew of ntpd and
 * systemd-timesyncd on Linux (500 ppm, adjtimex(2)), which also covers any crystal.
 */
export const DRIFT_ALLOWANCE_PPM = 500n;

/** One request to the timekeeper and its reply: two stamps on each clock, ns. */
export interface ProbeExchange {
  readonly sentAtMonoNs: bigint;
  readonly receivedAtFleetNs: bigint;
  readonly answeredAtFleetNs: bigint;
  readonly returnedAtMonoNs: bigint;
}

/** An estimate of fleet time minus own CLOCK_MONOTONIC. */
export interface OffsetEstimate {
  readonly offsetNs: bigint;
  /** Hard limit of the error at {@link OffsetEstimate.atMonoNs}, ns. */
  readonly boundNs: bigint;
  /** The instant for which it holds: the middle of the burst. */
  readonly atMonoNs: bigint;
  readonly probes: number;
  readonly roundTripMinNs: bigint;
}

/**
 * Intersects what each exchange says about the offset. A message cannot arrive before it was sent,
 * so each exchange gives `answered - returned <= offset <= received - sent`; the estimate is the
 * middle of the intersection and its bound half the width. When all intervals agree this equals
 * Marzullo's algorithm (K. Marzullo, 1984; RFC 5905 appendix A.5.5). The bound also covers the
 * drift between each exchange and the middle of the burst.
 *
 * @throws LockstepError CLOCK_UNSYNCHRONISED if there is no exchange, or if they contradict each
 * other, which means that a clock was stepped during the burst.
 */
export function estimateOffset(exchanges: readonly ProbeExchange[]): OffsetEstimate {
  const first = exchanges[0];
  const last = exchanges.at(-1);
  if (first === undefined || last === undefined) {
    throw new LockstepError('CLOCK_UNSYNCHRONISED', 'no clock probe was answered', {
      hint: 'Check that the timekeeper runs beside the coordinator.',
    });
  }
  const atMonoNs = (first.sentAtMonoNs + last.returnedAtMonoNs) / 2n;
  let upperNs = first.receivedAtFleetNs - first.sentAtMonoNs;
  let lowerNs = first.answeredAtFleetNs - first.returnedAtMonoNs;
  let roundTripMinNs = roundTrip(first);
  for (const exchange of exchanges) {
    upperNs = min(upperNs, exchange.receivedAtFleetNs - exchange.sentAtMonoNs);
    lowerNs = max(lowerNs, exchange.answeredAtFleetNs - exchange.returnedAtMonoNs);
    roundTripMinNs = min(roundTripMinNs, roundTrip(exchange));
  }
  const driftNs = driftAllowance((last.returnedAtMonoNs - first.sentAtMonoNs) / 2n);
  if (upperNs + 2n * driftNs < lowerNs) {
    throw new LockstepError(
      'CLOCK_UNSYNCHRONISED',
      `clock probes contradict each other by ${lowerNs - upperNs} ns: a clock was stepped`,
      { hint: 'The trial is measured again after the next burst of probes.' },
    );
  }
  return {
    offsetNs: (upperNs + lowerNs) / 2n,
    boundNs: max(upperNs - lowerNs, 0n) / 2n + driftNs + 1n,
    atMonoNs,
    probes: exchanges.length,
    roundTripMinNs,
  };
}

/** The bound of an estimate that is used at another instant: wider by the drift until then. */
export function boundAt(estimate: OffsetEstimate, atMonoNs: bigint): bigint {
  const ageNs = atMonoNs - estimate.atMonoNs;
  return estimate.boundNs + driftAllowance(ageNs < 0n ? -ageNs : ageNs);
}

function driftAllowance(durationNs: bigint): bigint {
  return (durationNs * DRIFT_ALLOWANCE_PPM) / 1_000_000n;
}

function roundTrip(exchange: ProbeExchange): bigint {
  return (
    exchange.returnedAtMonoNs -
    exchange.sentAtMonoNs -
    (exchange.answeredAtFleetNs - exchange.receivedAtFleetNs)
  );
}

function min(left: bigint, right: bigint): bigint {
  return left < right ? left : right;
}

function max(left: bigint, right: bigint): bigint {
  return left > right ? left : right;
}
