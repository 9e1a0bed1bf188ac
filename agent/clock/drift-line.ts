import type { OffsetInterval } from './offset-estimator.ts';
import { middleOf } from './offset-estimator.ts';

/** Bursts that the line goes through, at most, and their greatest age. */
const BURSTS_MAX = 512;
const AGE_MAX_NS = 1_200_000_000_000n;

/** Fewest bursts that make a line. */
const BURSTS_MIN = 4;

/** Shortest time between first and last that says anything about drift. */
const SPAN_MIN_NS = 2_000_000_000n;

/** Noise that every burst has, however even its probes were, ns. */
const NOISE_MIN_NS = 2000;

/** A burst this many times its noise away from the line shows that the line does not hold. */
const OUTLIER_NOISES = 6;

interface Point {
  readonly atMonoNs: bigint;
  readonly offsetNs: bigint;
  readonly noiseNs: number;
}

interface Line {
  readonly first: Point;
  /** Offset, relative to that of the first point, at its instant, ns. */
  readonly baseNs: number;
  /** Change of the offset, ns per ns. */
  readonly slope: number;
}

/**
 * How the offset of a clock moves: a weighted least-squares line through the middles of recent
 * bursts, where bursts with less jitter count more. It starts anew when a burst lies off the line,
 * because then a time daemon has changed the rate of one of the clocks.
 */
export class DriftLine {
  readonly #points: Point[] = [];
  #line: Line | undefined;

  /** Takes a burst in. */
  add(interval: OffsetInterval): void {
    const noiseNs = Math.max(NOISE_MIN_NS, Number(interval.noiseNs));
    const { offsetNs } = middleOf(interval);
    const predictedNs = this.offsetAt(interval.atMonoNs);
    if (predictedNs !== undefined) {
      const missedNs = Math.abs(Number(offsetNs - predictedNs));
      if (missedNs > OUTLIER_NOISES * noiseNs) this.reset();
    }
    this.#points.push({ atMonoNs: interval.atMonoNs, offsetNs, noiseNs });
    if (this.#points.length > BURSTS_MAX) this.#points.shift();
    while (interval.atMonoNs - (this.#points[0]?.atMonoNs ?? 0n) > AGE_MAX_NS) this.#points.shift();
    this.#line = fit(this.#points);
  }

  /** Forgets all: after a step, or when fleet time is another clock. */
  reset(): void {
    this.#points.length = 0;
    this.#line = undefined;
  }

  /** The offset that the line gives for an instant, ns. Absent with too few bursts. */
  offsetAt(atMonoNs: bigint): bigint | undefined {
    const line = this.#line;
    if (line === undefined) return undefined;
    const movedNs = line.baseNs + line.slope * Number(atMonoNs - line.first.atMonoNs);
    return line.first.offsetNs + BigInt(Math.round(movedNs));
  }

  /** Slope, parts per 1e9; positive if the own clock is slow. Absent over too short a time. */
  get driftPpb(): number | undefined {
    const first = this.#points[0];
    const last = this.#points.at(-1);
    if (this.#line === undefined || first === undefined || last === undefined) return undefined;
    return last.atMonoNs - first.atMonoNs < SPAN_MIN_NS ? undefined : this.#line.slope * 1e9;
  }
}

function fit(points: readonly Point[]): Line | undefined {
  const first = points[0];
  if (first === undefined || points.length < BURSTS_MIN) return undefined;
  // Differences to the first point are small enough for a double.
  const relative = points.map(({ atMonoNs, offsetNs, noiseNs }) => ({
    x: Number(atMonoNs - first.atMonoNs),
    y: Number(offsetNs - first.offsetNs),
    weight: 1 / (noiseNs * noiseNs),
  }));
  const sumW = sum(relative.map(({ weight }) => weight));
  const meanX = sum(relative.map(({ x, weight }) => weight * x)) / sumW;
  const meanY = sum(relative.map(({ y, weight }) => weight * y)) / sumW;
  const covariance = sum(relative.map(({ x, y, weight }) => weight * (x - meanX) * (y - meanY)));
  const variance = sum(relative.map(({ x, weight }) => weight * (x - meanX) ** 2));
  if (variance === 0) return undefined;
  const slope = covariance / variance;
  return { first, baseNs: meanY - slope * meanX, slope };
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
