import type { TrialResult } from '../../schemas/result.ts';
import type { MemorySlope, RunSummary } from './run-summary.ts';
import { theilSenSlope } from './statistics/slope.ts';
import type { SlopePoint } from './statistics/slope.ts';

/** More points than this have too many pairs for Theil and Sen's slope. */
const PAIRED_POINTS_MAX = 1000;

interface Series {
  readonly sandbox: string;
  readonly function: string;
  readonly points: SlopePoint[];
}

/**
 * The memory per sandbox, by sandbox and function, of results that tell by how much the memory of
 * their host fell. Results that failed or are marked are left out.
 */
export class MemoryTally {
  readonly #series = new Map<string, Series>();

  /** Adds results. */
  add(results: readonly TrialResult[]): void {
    for (const { cell, status, invalid, hostMemoryDropBytes } of results) {
      if (hostMemoryDropBytes === undefined || status === 'failed' || invalid.length > 0) continue;
      const key = `${cell.sandbox}/${cell.function}`;
      let series = this.#series.get(key);
      if (series === undefined) {
        series = { sandbox: cell.sandbox, function: cell.function, points: [] };
        this.#series.set(key, series);
      }
      series.points.push({ x: cell.instances, y: hostMemoryDropBytes });
    }
  }

  /** The slopes of series with at least two different numbers of sandboxes; nothing for none. */
  summary(): Pick<RunSummary, 'memory'> {
    const memory = [...this.#series.values()].flatMap(slopeOf);
    return memory.length === 0 ? {} : { memory };
  }
}

function slopeOf({ points, ...names }: Series): MemorySlope[] {
  const counts = new Set(points.map(({ x }) => x));
  if (counts.size < 2) return [];
  const robust = points.length > PAIRED_POINTS_MAX ? undefined : theilSenSlope(points);
  return [
    {
      ...names,
      n: points.length,
      instances: [Math.min(...counts), Math.max(...counts)],
      leastSquaresBytes: leastSquaresSlope(points),
      ...(robust === undefined ? {} : { theilSenBytes: robust.slope }),
      ...(robust?.interval === undefined ? {} : { theilSenInterval: robust.interval }),
    },
  ];
}

/** The slope of the least squares line, for points that are not all at one x. */
function leastSquaresSlope(points: readonly SlopePoint[]): number {
  const meanX = points.reduce((sum, { x }) => sum + x, 0) / points.length;
  const meanY = points.reduce((sum, { y }) => sum + y, 0) / points.length;
  let products = 0;
  let squares = 0;
  for (const { x, y } of points) {
    products += (x - meanX) * (y - meanY);
    squares += (x - meanX) ** 2;
  }
  return products / squares;
}
