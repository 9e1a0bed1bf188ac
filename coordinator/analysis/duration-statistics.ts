import { medianInterval } from './median-interval.ts';
import { quantile } from './quantile.ts';
import type { DurationStatistics } from './run-summary.ts';

/** The figures of some durations in ns. Undefined for no durations. */
export function durationStatistics(valuesNs: readonly number[]): DurationStatistics | undefined {
  const minNs = quantile(valuesNs, 0);
  const medianNs = quantile(valuesNs, 0.5);
  const p95Ns = quantile(valuesNs, 0.95);
  const maxNs = quantile(valuesNs, 1);
  if (minNs === undefined || medianNs === undefined || p95Ns === undefined || maxNs === undefined) {
    return undefined;
  }
  const interval = medianInterval(valuesNs);
  return {
    n: valuesNs.length,
    minNs,
    medianNs,
    p95Ns,
    maxNs,
    ...(interval === undefined ? {} : { medianInterval: interval }),
  };
}
