import type { OffsetInterval } from './offset-estimator.ts';
import { middleOf } from './offset-estimator.ts';

/** Bursts that the line goes through, at most. */
const BURSTS_MAX = 16;

/** Fewest bursts, and shortest time between first and last, that say anything about drift. */
const BURSTS_MIN = 4;
const SPAN_MIN_NS = 2_000_000_000n;

/** Older bursts say little of today's drift: temperature changes it. */
const AGE_MAX_NS = 120_000_000_000n;

interface Point {
  readonly atMonoNs: bigint;
  readonly offsetNs: bigint;
  readonly weight: number;
}

/**
 * The drift of a clock against fleet time: a weighted least-squares line through the middles of
 * recent bursts, where a burst with narrow limits counts more.
 */
export class DriftLine {
  readonly #points: Point[] = [];

  /** Takes a burst in. */
  add(interval: OffsetInterval): void {
    const { offsetNs, boundNs } = middleOf(interval);
    const widthUs = Number(boundNs) / 1000;
    this.#points.push({ atMonoNs: interval.atMonoNs, offsetNs, weight: 1 / (1 + widthUs * widthUs) });
    if (this.#points.length > BURSTS_MAX) this.#points.shift();
    while (interval.atMonoNs - (this.#points[0]?.atMonoNs ?? 0n) > AGE_MAX_NS) this.#points.shift();
  }

  /** Forgets all: after a step, or when fleet time is another clock. */
  reset(): void {
    this.#points.length = 0;
  }

  /** Slope, parts per 1e9; positive if the own clock is slow. Absent with too few bursts. */
  get driftPpb(): number | undefined {
    const first = this.#points[0];
    const last = this.#points.at(-1);
    if (first === undefined || last === undefined || this.#points.length < BURSTS_MIN) {
      return undefined;
    }
    if (last.atMonoNs - first.atMonoNs < SPAN_MIN_NS) return undefined;
    let sumW = 0;
    let sumX = 0;
    let sumY = 0;
    // Differences to the first point are small enough for a double.
    const points = this.#points.map(({ atMonoNs, offsetNs, weight }) => ({
      x: Number(atMonoNs - first.atMonoNs),
      y: Number(offsetNs - first.offsetNs),
      weight,
    }));
    for (const { x, y, weight } of points) {
      sumW += weight;
      sumX += weight * x;
      sumY += weight * y;
    }
    const meanX = sumX / sumW;
    const meanY = sumY / sumW;
    let covariance = 0;
    let variance = 0;
    for (const { x, y, weight } of points) {
      covariance += weight * (x - meanX) * (y - meanY);
      variance += weight * (x - meanX) ** 2;
    }
    return variance === 0 ? undefined : (covariance / variance) * 1e9;
  }
}
