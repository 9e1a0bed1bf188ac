import { normalQuantile } from './normal.ts';
import { quantileInterval } from './quantile-interval.ts';
import { sortedQuantile } from './sorted-quantile.ts';

/** Most values that are named as needed: with more, a plan is no plan. */
const VALUES_MAX = 1_000_000;

/** Pairs of a pilot grow with the square of its size; this many values say all they can. */
const PAIRED_VALUES_MAX = 400;

/** Up to this number of values the ranks of an interval are exact, else those of the normal. */
const EXACT_RANKS_MAX = 500;

/** Numbers of values are tried in steps of this share: 2 % is finer than any pilot can tell. */
const STEP_SHARE = 0.02;

/** What is estimated, and how sure its interval is. */
export interface IntervalAim {
  /** Of the quantile: 0.5 for the median. */
  readonly probability: number;
  /** Of its interval, 0 to 1. */
  readonly coverage: number;
}

/** How a difference shall be found. */
export interface DetectionAim {
  /** Chance to find it if it is there, 0 to 1. */
  readonly power: number;
  /** Two-sided level of the one test, already divided among comparisons and looks. */
  readonly level: number;
}

/**
 * How many values in each of two samples of equal size the rank sum test needs (G. Noether,
 * "Sample size determination for some common nonparametric tests", JASA 82(398), 1987). Meant for
 * small differences; for large ones, where a handful is enough, it is a rough figure.
 *
 * @param advantage the chance that a value of the second is larger than one of the first
 * @returns undefined if there is no difference to find
 */
export function noetherSize(advantage: number, aim: DetectionAim): number | undefined {
  if (advantage === 0.5) return undefined;
  const needed = detectionSum(aim) ** 2 / (6 * (advantage - 0.5) ** 2);
  return Math.ceil(needed);
}

/**
 * The smallest advantage, above 1/2, that so many values in each sample find: the inverse of
 * {@link noetherSize}. May exceed 1: then nothing is found.
 */
export function detectableAdvantage(size: number, aim: DetectionAim): number {
  return 0.5 + detectionSum(aim) / Math.sqrt(6 * size);
}

function detectionSum({ power, level }: DetectionAim): number {
  return normalQuantile(1 - level / 2) + normalQuantile(power);
}

/** The values of a cell in an earlier run, asked what more of their like would tell. */
export class Pilot {
  readonly #sorted: Float64Array;
  #ratios: Float64Array | undefined;

  /** @param values independent, of one distribution, in any order; at least 2 */
  constructor(values: readonly number[]) {
    this.#sorted = Float64Array.from(values).sort();
  }

  /** The quantile of the pilot's values, type 7. */
  quantile(probability: number): number {
    return sortedQuantile(this.#sorted, probability);
  }

  /**
   * Half the width that the interval of a quantile will have with so many values, as a share of
   * the quantile. The ranks of its ends follow from the binomial; where they lie, from the pilot's
   * own quantiles. Nearer to the quantile than the pilot can resolve (the bandwidth of P. Hall &
   * S. Sheather, "On the distribution of a studentized quantile", JRSS B 50(3), 1988) these go on
   * in a straight line.
   *
   * @returns undefined if so few values have no such interval, or the quantile is not above 0
   */
  halfWidth(size: number, { probability, coverage }: IntervalAim): number | undefined {
    const reach = reachOf(size, { probability, coverage });
    const centre = this.quantile(probability);
    if (reach === undefined || !(centre > 0)) return undefined;
    const resolved = this.#resolution({ probability, coverage });
    const distance = (side: number, to: number): number => {
      const used = Math.max(to, resolved);
      return Math.abs(this.quantile(probability + side * used) - centre) * (to / used);
    };
    return (distance(-1, reach.below) + distance(1, reach.above)) / 2 / centre;
  }

  /**
   * How many values make half the width of the interval as small as wanted; about half of all runs
   * reach it by then.
   *
   * @param wanted share of the quantile, e.g. 0.05
   * @returns undefined if more than {@link VALUES_MAX} would be needed, or no number is enough
   */
  sizeForHalfWidth(wanted: number, aim: IntervalAim): number | undefined {
    let size = 2;
    while (size <= VALUES_MAX) {
      const found = this.halfWidth(size, aim);
      if (found !== undefined && found <= wanted) return size;
      size += Math.max(1, Math.floor(size * STEP_SHARE));
    }
    return undefined;
  }

  /**
   * How many values in each of two cells find that one median is so many times the other, if both
   * are otherwise like the pilot.
   *
   * @param ratio other than 1
   * @returns undefined if more than {@link VALUES_MAX} would be needed
   */
  sizeToDetect(ratio: number, aim: DetectionAim): number | undefined {
    const size = noetherSize(this.#advantage(ratio), aim);
    return size === undefined || size > VALUES_MAX ? undefined : size;
  }

  /**
   * The smallest ratio of medians, above 1, that so many values in each of two cells find.
   *
   * @returns undefined if no ratio is large enough to be found by so few
   */
  detectableRatio(size: number, aim: DetectionAim): number | undefined {
    const advantage = detectableAdvantage(size, aim);
    if (advantage > 1) return undefined;
    const ratio = sortedQuantile(this.#pairRatios(), advantage);
    return Number.isFinite(ratio) ? ratio : undefined;
  }

  /** P(X < ratio X') for two values of the pilot's distribution, ties counting half. */
  #advantage(ratio: number): number {
    const ratios = this.#pairRatios();
    let below = 0;
    for (const found of ratios) below += found < ratio ? 1 : found === ratio ? 0.5 : 0;
    return below / ratios.length;
  }

  /** Every value by every other, ascending. */
  #pairRatios(): Float64Array {
    if (this.#ratios !== undefined) return this.#ratios;
    const count = Math.min(this.#sorted.length, PAIRED_VALUES_MAX);
    const values = Array.from({ length: count }, (_, index) =>
      count === this.#sorted.length
        ? (this.#sorted[index] ?? Number.NaN)
        : this.quantile((index + 0.5) / count),
    );
    const ratios = new Float64Array(count * (count - 1));
    let place = 0;
    for (let first = 0; first < count; first += 1) {
      for (let second = 0; second < count; second += 1) {
        if (first === second) continue;
        ratios[place] = (values[first] ?? Number.NaN) / (values[second] ?? Number.NaN);
        place += 1;
      }
    }
    this.#ratios = ratios.sort();
    return this.#ratios;
  }

  /** Half the span of probabilities over which the pilot's quantiles are no mere noise. */
  #resolution({ probability, coverage }: IntervalAim): number {
    const z = normalQuantile((1 + coverage) / 2);
    const place = normalQuantile(probability);
    const density = Math.exp(-0.5 * place * place) / Math.sqrt(2 * Math.PI);
    const shape = (1.5 * density ** 2) / (2 * place ** 2 + 1);
    const bandwidth = this.#sorted.length ** (-1 / 3) * z ** (2 / 3) * shape ** (1 / 3);
    return Math.min(bandwidth, 0.9 * Math.min(probability, 1 - probability));
  }
}

/** How far below and above the quantile the ends of its interval lie, in probability. */
function reachOf(
  size: number,
  { probability, coverage }: IntervalAim,
): { below: number; above: number } | undefined {
  if (size > EXACT_RANKS_MAX) {
    const z = normalQuantile((1 + coverage) / 2);
    const reach = z * Math.sqrt((probability * (1 - probability)) / size) + 0.5 / size;
    if (reach < Math.min(probability, 1 - probability)) return { below: reach, above: reach };
    return undefined;
  }
  // The interval of the ranks themselves is the ranks of the interval.
  const ranks = Array.from({ length: size }, (_, index) => index + 1);
  const interval = quantileInterval(ranks, probability, coverage);
  if (interval === undefined) return undefined;
  return {
    below: probability - interval.lower / (size + 1),
    above: interval.upper / (size + 1) - probability,
  };
}
