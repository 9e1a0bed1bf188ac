import { ascending } from './quantile.ts';

/** One step of an empirical distribution: this share of the values is at most `value`. */
export interface EcdfStep {
  readonly value: number;
  /** Above 0, at most 1. */
  readonly share: number;
}

/**
 * The empirical distribution function: one step per distinct value, ascending.
 *
 * @param stepsMax of more values, about so many steps at equal shares, the first and the last
 *   among them. Default: all.
 */
export function ecdf(values: ArrayLike<number>, stepsMax = Infinity): EcdfStep[] {
  const sorted = ascending(values);
  const last = sorted.length - 1;
  const stride = Math.max(1, Math.ceil(sorted.length / stepsMax));
  const steps: EcdfStep[] = [];
  for (let place = 0; place <= last; place += 1) {
    if (place % stride !== 0 && place !== last) continue;
    let end = place;
    while (end < last && sorted[end + 1] === sorted[place]) end += 1;
    steps.push({ value: sorted[place] ?? Number.NaN, share: (end + 1) / sorted.length });
    place = end;
  }
  return steps;
}
