import { DRIFT_ALLOWANCE_PPM } from '../../schemas/clock.ts';
import { LockstepError } from '../../schemas/errors.ts';

/** One request to the timekeeper and its reply: two stamps on each clock, ns. */
export interface ProbeExchange {
  readonly sentAtMonoNs: bigint;
  readonly receivedAtFleetNs: bigint;
  readonly answeredAtFleetNs: bigint;
  readonly returnedAtMonoNs: bigint;
}

/** What a burst of probes says: between which limits fleet time minus own CLOCK_MONOTONIC lay. */
export interface OffsetInterval {
  readonly lowerNs: bigint;
  readonly upperNs: bigint;
  /** The instant for which the limits hold: the middle of the burst, own CLOCK_MONOTONIC. */
  readonly atMonoNs: bigint;
  readonly probes: number;
  readonly roundTripMinNs: bigint;
  /** How long the burst took, ns. */
  readonly burstNs: bigint;
  /**
   * How much the middle of the limits is likely to be off because of jitter, ns: a guess from the
   * shortest ways, not a limit. Asymmetry does not show in it.
   */
  readonly noiseNs: bigint;
}

/** An offset with the hard limit of its error, ns. */
export interface BoundedOffset {
  readonly offsetNs: bigint;
  readonly boundNs: bigint;
}

/**
 * Intersects what each exchange says about the offset. A message cannot arrive before it was sent,
 * so each exchange gives `answered - returned <= offset <= received - sent`. When all intervals
 * agree this equals Marzullo's algorithm (K. Marzullo, 1984; RFC 5905 appendix A.5.5). The limits
 * also cover the drift between each exchange and the middle of the burst.
 *
 * @throws LockstepError CLOCK_UNSYNCHRONISED if there is no exchange, or CLOCK_STEPPED if they
 * contradict each other, which means that a clock was stepped during the burst.
 */
export function intersectExchanges(exchanges: readonly ProbeExchange[]): OffsetInterval {
  const first = exchanges[0];
  const last = exchanges.at(-1);
  if (first === undefined || last === undefined) {
    throw new LockstepError('CLOCK_UNSYNCHRONISED', 'no clock probe was answered', {
      hint: 'Check that the timekeeper runs beside the coordinator.',
    });
  }
  const atMonoNs = (first.sentAtMonoNs + last.returnedAtMonoNs) / 2n;
  let upperNs: bigint | undefined;
  let lowerNs: bigint | undefined;
  let roundTripMinNs = roundTrip(first);
  for (const exchange of exchanges) {
    const upper = exchange.receivedAtFleetNs - exchange.sentAtMonoNs;
    const lower = exchange.answeredAtFleetNs - exchange.returnedAtMonoNs;
    // Each limit is about an instant somewhere between the two stamps of the own clock.
    const allowanceNs = max(
      driftAllowance(atMonoNs - exchange.sentAtMonoNs),
      driftAllowance(atMonoNs - exchange.returnedAtMonoNs),
    );
    const wideUpper = upper + allowanceNs;
    const wideLower = lower - allowanceNs;
    upperNs = upperNs === undefined ? wideUpper : min(upperNs, wideUpper);
    lowerNs = lowerNs === undefined ? wideLower : max(lowerNs, wideLower);
    roundTripMinNs = min(roundTripMinNs, roundTrip(exchange));
  }
  if (upperNs === undefined || lowerNs === undefined || upperNs < lowerNs) {
    throw steppedError('clock probes', (lowerNs ?? 0n) - (upperNs ?? 0n));
  }
  return {
    lowerNs,
    upperNs,
    atMonoNs,
    probes: exchanges.length,
    roundTripMinNs,
    burstNs: last.returnedAtMonoNs - first.sentAtMonoNs,
    noiseNs: noiseOf(exchanges),
  };
}

/**
 * The limits at another instant: each wider by the drift allowance.
 *
 * @returns a copy whose instant is the one asked for.
 */
export function widenTo(interval: OffsetInterval, atMonoNs: bigint): OffsetInterval {
  const allowanceNs = driftAllowance(atMonoNs - interval.atMonoNs);
  return {
    ...interval,
    atMonoNs,
    lowerNs: interval.lowerNs - allowanceNs,
    upperNs: interval.upperNs + allowanceNs,
  };
}

/**
 * What two bursts together say of an instant between them.
 *
 * @throws LockstepError CLOCK_STEPPED if they contradict each other: a clock was stepped, or ran
 * faster than the drift allowance.
 */
export function bracket(
  before: OffsetInterval,
  after: OffsetInterval,
  atMonoNs: bigint,
): OffsetInterval {
  const early = widenTo(before, atMonoNs);
  const late = widenTo(after, atMonoNs);
  const lowerNs = max(early.lowerNs, late.lowerNs);
  const upperNs = min(early.upperNs, late.upperNs);
  if (upperNs < lowerNs) throw steppedError('the bursts around the trial', lowerNs - upperNs);
  return {
    lowerNs,
    upperNs,
    atMonoNs,
    probes: before.probes + after.probes,
    roundTripMinNs: min(before.roundTripMinNs, after.roundTripMinNs),
    burstNs: before.burstNs,
    noiseNs: min(before.noiseNs, after.noiseNs),
  };
}

/** The middle of the limits, which has the smallest hard bound. */
export function middleOf({ lowerNs, upperNs }: OffsetInterval): BoundedOffset {
  const offsetNs = (lowerNs + upperNs) / 2n;
  return { offsetNs, boundNs: max(upperNs - offsetNs, offsetNs - lowerNs) + 1n };
}

/**
 * The offset at a later instant, as a line through recent bursts predicts it, with its hard bound:
 * the prediction only chooses the point within the limits.
 *
 * @param predictedNs absent: the middle of the limits.
 */
export function extrapolate(
  interval: OffsetInterval,
  atMonoNs: bigint,
  predictedNs: bigint | undefined,
): BoundedOffset {
  const wide = widenTo(interval, atMonoNs);
  const wantedNs = predictedNs ?? middleOf(interval).offsetNs;
  const offsetNs = min(max(wantedNs, wide.lowerNs), wide.upperNs);
  return { offsetNs, boundNs: max(wide.upperNs - offsetNs, offsetNs - wide.lowerNs) + 1n };
}

// The shortest of n ways lies above the floor by about as much as the third shortest lies above it
// by half (order statistics of a density that is flat near its floor).
function noiseOf(exchanges: readonly ProbeExchange[]): bigint {
  const out = exchanges.map(
    ({ receivedAtFleetNs, sentAtMonoNs }) => receivedAtFleetNs - sentAtMonoNs,
  );
  const back = exchanges.map(
    ({ returnedAtMonoNs, answeredAtFleetNs }) => returnedAtMonoNs - answeredAtFleetNs,
  );
  return (gapOfShortest(out) + gapOfShortest(back)) / 4n;
}

function gapOfShortest(waysNs: readonly bigint[]): bigint {
  const sorted = waysNs.toSorted((left, right) => (left < right ? -1 : left > right ? 1 : 0));
  const first = sorted[0] ?? 0n;
  return (sorted[2] ?? sorted.at(-1) ?? first) - first;
}

function steppedError(what: string, gapNs: bigint): LockstepError {
  return new LockstepError(
    'CLOCK_STEPPED',
    `${what} contradict each other by ${gapNs} ns: a clock was stepped`,
    { hint: 'Look at the logs of the time daemons of this device and of the coordinator.' },
  );
}

function driftAllowance(durationNs: bigint): bigint {
  const sizeNs = durationNs < 0n ? -durationNs : durationNs;
  return (sizeNs * BigInt(DRIFT_ALLOWANCE_PPM)) / 1_000_000n + 1n;
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
