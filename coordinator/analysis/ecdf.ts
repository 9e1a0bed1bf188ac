import { ascending } from './quantile.ts';

/** One step of an empirical distribution: this share of the values is at most `value`. */
export interface EcdfStep {
  readonly value: number;
  /** Above 0, at most 1. */
  readonly share: number;
}

/** The empirical distribution function: one step per distinct value, ascending. */
export function ecdf(values: readonly number[]): EcdfStep[] {
  const sorted = ascending(values);
  return sorted
    .map((value, index) => ({ value, share: (index + 1) / sorted.length }))
    .filter((step, index) => step.value !== sorted[index + 1]);
}
