import type { Interval } from '../run-summary.ts';
import { wilsonInterval } from '../wilson-interval.ts';

/** Events among independent tries; events may be a fraction. */
export interface Proportion {
  readonly events: number;
  readonly n: number;
}

/** A difference of two rates, the second minus the first. */
export interface RateDifference {
  readonly difference: number;
  readonly interval: Interval;
}

/**
 * The difference of two independent rates with its interval: R. G. Newcombe, "Interval
 * estimation for the difference between independent proportions: comparison of eleven methods",
 * Statistics in Medicine 17, 1998, method 10, which joins the Wilson intervals of both. It holds
 * where nothing failed.
 *
 * @returns undefined if a side has no tries.
 */
export function proportionDifference(
  first: Proportion,
  second: Proportion,
  coverage = 0.95,
): RateDifference | undefined {
  const before = wilsonInterval(first.events, first.n, coverage);
  const after = wilsonInterval(second.events, second.n, coverage);
  if (before === undefined || after === undefined) return undefined;
  const [p1, p2] = [first.events / first.n, second.events / second.n];
  const difference = p2 - p1;
  return {
    difference,
    interval: {
      lower: difference - Math.hypot(p2 - after.lower, before.upper - p1),
      upper: difference + Math.hypot(after.upper - p2, p1 - before.lower),
      coverage,
    },
  };
}
