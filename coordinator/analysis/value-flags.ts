import { groupBy } from './measured-result.ts';
import type { Unit } from './run-summary.ts';
import { outerFences } from './statistics/fences.ts';

/** A value that a reader should look at, with where to find what the device saw then. */
export interface ValueFlag {
  /** far-out: beyond Tukey's outer fences of the values of its host. */
  readonly kind: 'far-out';
  readonly trialId: string;
  readonly attempt: number;
  readonly position?: number;
  readonly host: string;
  readonly valueNs: number;
}

/**
 * Values of a cell that lie far out among those of their own host: a slower host is no outlier.
 * They are told, and kept in every figure.
 */
export function valueFlags(units: readonly Unit[]): ValueFlag[] {
  const flags: ValueFlag[] = [];
  for (const own of groupBy(units, ({ host }) => host).values()) {
    const fences = outerFences(own.map(({ valueNs }) => valueNs));
    if (fences === undefined) continue;
    for (const { trialId, attempt, position, host, valueNs } of own) {
      if (valueNs >= fences.lower && valueNs <= fences.upper) continue;
      const place = position === undefined ? {} : { position };
      flags.push({ kind: 'far-out', trialId, attempt, ...place, host, valueNs });
    }
  }
  return flags;
}
