import { groupBy } from './measured-result.ts';
import type { Unit } from './run-summary.ts';

/** One trial of a cell as a point in time. */
export interface SeriesPoint {
  readonly position: number;
  /** Mean over the hosts of the value's rank among those of its host: 0 to 1, least to largest. */
  readonly level: number;
}

/**
 * The values of a cell in the order of the run, one per trial. Each host's values count by their
 * rank on that host, so that hosts of different speed make no pattern.
 *
 * @param units those without a position are left out
 */
export function trialSeries(units: readonly Unit[]): SeriesPoint[] {
  const levels = new Map<number, number[]>();
  const placed = units.filter(({ position }) => position !== undefined);
  for (const own of groupBy(placed, ({ host }) => host).values()) {
    const sorted = Float64Array.from(own, ({ valueNs }) => valueNs).sort();
    const rankOf = new Map<number, number>();
    for (let begin = 0; begin < sorted.length;) {
      const value = sorted[begin] ?? 0;
      let end = begin + 1;
      while (end < sorted.length && sorted[end] === value) end += 1;
      rankOf.set(value, (begin + end) / 2 / sorted.length);
      begin = end;
    }
    for (const { position = 0, valueNs } of own) {
      const known = levels.get(position) ?? [];
      known.push(rankOf.get(valueNs) ?? 0);
      levels.set(position, known);
    }
  }
  return [...levels]
    .map(([position, own]) => ({
      position,
      level: own.reduce((sum, level) => sum + level, 0) / own.length,
    }))
    .sort((left, right) => left.position - right.position);
}
