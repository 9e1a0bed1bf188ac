import { BOOTSTRAP_VALUES_MIN } from './bootstrap.ts';
import type { MedianRatio } from './ratio-interval.ts';

/** One host says nothing about others. */
export const HOSTS_MIN = 2;

/**
 * Fewer hosts than this are flagged. Student's interval keeps its coverage with any number of alike
 * hosts; where there are two kinds, all that were measured may be of one kind, and with 2 to 4
 * hosts it covers less than 92 % (docs/statistics.md, "hosts of two kinds").
 */
export const HOSTS_UNFLAGGED_MIN = 5;

/**
 * From so many hosts on, hosts or sessions with fewer values than this are flagged: the median of a
 * few values in two groups leans to the larger one's far side, and the interval is narrow enough to
 * miss by it (docs/statistics.md, "hosts with sessions", bimodal).
 */
export const HOSTS_FOR_BIAS = 20;
export const VALUES_UNFLAGGED_MIN = 50;

/**
 * What a reader must know of an interval over hosts. Undefined if nothing.
 *
 * @param valuesMin values of the host, or of the session of a host, that has the fewest
 */
export function hostsCaution(hosts: number, valuesMin: number): string | undefined {
  if (hosts < HOSTS_MIN) return 'one host says nothing about others: no interval over hosts';
  if (hosts < HOSTS_UNFLAGGED_MIN) {
    return (
      `only ${hosts} hosts: the interval is wide, and too narrow all the same if there are hosts ` +
      'of another kind'
    );
  }
  if (hosts < HOSTS_FOR_BIAS || valuesMin >= VALUES_UNFLAGGED_MIN) return undefined;
  return (
    `medians of as few as ${valuesMin} values lean to one side if the values lie in groups, and ` +
    `with ${hosts} hosts the interval is narrow enough to miss the truth by that`
  );
}

/** What a reader must know of the interval of a ratio, or why there is none. */
export function ratioCaution({ basis, units }: MedianRatio): string | undefined {
  if (basis === undefined || units === undefined) {
    return (
      `no interval: fewer than ${BOOTSTRAP_VALUES_MIN} values on a side, or one host on one side ` +
      'and several on the other'
    );
  }
  // A lean of the medians is the same on both sides, and drops out of a ratio.
  return basis === 'trials' ? undefined : hostsCaution(Math.min(...units), VALUES_UNFLAGGED_MIN);
}
