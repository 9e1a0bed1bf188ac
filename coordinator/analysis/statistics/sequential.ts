import type { Experiment } from '../../../schemas/experiment.ts';
import { normalCdf, normalQuantile } from './normal.ts';
import { COVERAGE } from './coverage.ts';

/** Chance of a wrong claim over all looks together. */
const OVERALL_ERROR = 0.05;

/** Looks that a file gets if it names none, at most; and the fewest repetitions of the first. */
const DEFAULT_LOOKS_MAX = 4;
const DEFAULT_FIRST_LOOK_MIN = 10;

/** Steps of the integration per standard deviation; 8 give the level to 6 digits. */
const STEPS_PER_DEVIATION = 8;

/** Beyond so many standard deviations a normal density counts as 0. */
const REACH_DEVIATIONS = 7;

/** When the boundary is near enough: error of the chance; and the most steps towards it. */
const TOLERANCE = 1e-8;
const ROUNDS_MAX = 30;

type LooksSource = Pick<Experiment, 'repetitions' | 'until'>;

/**
 * When the values of a run are looked at, in repetitions, ascending; the last is its maximum.
 * Without looks in the file: the maximum and its halves, four at most, down to 10 repetitions.
 *
 * @returns undefined if the run's length does not depend on its values
 */
export function looksOf({ repetitions, until }: LooksSource): readonly number[] | undefined {
  if (until?.halfWidthPercent === undefined) return undefined;
  const looks = [repetitions];
  if (until.looks !== undefined) {
    // A run may be started with fewer repetitions than its file says.
    looks.unshift(...until.looks.filter((look) => look < repetitions));
    return looks;
  }
  for (let look = repetitions / 2; looks.length < DEFAULT_LOOKS_MAX; look /= 2) {
    if (look < DEFAULT_FIRST_LOOK_MIN) break;
    looks.unshift(Math.ceil(look));
  }
  return looks;
}

/**
 * The coverage that every interval of a run must have: 0.95, and more if the run may end at one
 * of several looks at its values.
 */
export function intervalCoverageOf(experiment: LooksSource): number {
  const looks = looksOf(experiment);
  return looks === undefined ? COVERAGE : coverageAtLooks(looks);
}

/**
 * The coverage that an interval needs at each of several looks at growing data, so that it holds
 * the true value at all of them with a chance of 95 %: one constant boundary for all looks (S.
 * Pocock, "Group sequential methods in the design and analysis of clinical trials", Biometrika
 * 64(2), 1977), found by the recursive integration of P. Armitage, C. McPherson & B. Rowe
 * ("Repeated significance tests on accumulating data", JRSS A 132(2), 1969) for any spacing.
 *
 * @param looks how many values there are at each look; more than 0, ascending
 * @throws RangeError for looks that are none, not positive or not ascending
 */
export function coverageAtLooks(looks: readonly number[]): number {
  const last = looks.at(-1) ?? 0;
  if (!looks.every((look, index) => look > (looks[index - 1] ?? 0))) {
    throw new RangeError(`looks ascend from above 0, unlike ${looks.join(', ')}`);
  }
  if (looks.length === 1) return COVERAGE;
  const fractions = looks.map((look) => look / last);
  const boundary = root((candidate) => crossingChance(candidate, fractions) - OVERALL_ERROR, {
    // One look alone needs less; Bonferroni's correction supposes nothing and needs more.
    low: normalQuantile(1 - OVERALL_ERROR / 2),
    high: normalQuantile(1 - OVERALL_ERROR / 2 / looks.length),
  });
  return 1 - 2 * normalCdf(-boundary);
}

/** Where a falling function is 0, by false position with the Illinois correction. */
function root(
  falling: (candidate: number) => number,
  { low, high }: { low: number; high: number },
): number {
  let [left, right] = [low, high];
  let [above, below] = [falling(left), falling(right)];
  let middle = right;
  for (let round = 0; round < ROUNDS_MAX; round += 1) {
    middle = (left * below - right * above) / (below - above);
    const value = falling(middle);
    if (Math.abs(value) < TOLERANCE) break;
    if (value > 0) {
      [left, above] = [middle, value];
      below /= 2;
    } else {
      [right, below] = [middle, value];
      above /= 2;
    }
  }
  return middle;
}

/** The part of a Brownian motion that has stayed within its boundary, as a density on a grid. */
interface Remaining {
  /** The grid goes from -edge to edge. */
  readonly edge: number;
  readonly step: number;
  /** Density times weight of Simpson's rule, by grid point. */
  readonly mass: Float64Array;
}

/** The chance that |B(t)| exceeds boundary * sqrt(t) at one of the fractions t of the way. */
function crossingChance(boundary: number, fractions: readonly number[]): number {
  let remaining: Remaining | undefined;
  for (const [index, fraction] of fractions.entries()) {
    const deviation = Math.sqrt(fraction - (fractions[index - 1] ?? 0));
    const next = fractions[index + 1];
    const finest = next === undefined ? deviation : Math.min(deviation, Math.sqrt(next - fraction));
    const edge = boundary * Math.sqrt(fraction);
    remaining = advance(remaining, { edge, deviation, finest });
  }
  return 1 - (remaining?.mass.reduce((sum, mass) => sum + mass, 0) ?? 0);
}

function advance(
  before: Remaining | undefined,
  { edge, deviation, finest }: { edge: number; deviation: number; finest: number },
): Remaining {
  const intervals = 2 * Math.ceil((edge / finest) * STEPS_PER_DEVIATION);
  const step = (2 * edge) / intervals;
  const mass = new Float64Array(intervals + 1);
  for (let index = 0; index <= intervals / 2; index += 1) {
    const isEnd = index === 0;
    const weight = ((isEnd ? 1 : index % 2 === 1 ? 4 : 2) * step) / 3;
    const value = weight * densityAt(-edge + index * step, before, deviation);
    // The density is the same on both sides of 0.
    mass[index] = value;
    mass[intervals - index] = value;
  }
  return { edge, step, mass };
}

function densityAt(place: number, before: Remaining | undefined, deviation: number): number {
  const scale = 1 / (deviation * Math.sqrt(2 * Math.PI));
  if (before === undefined) return scale * Math.exp(-0.5 * (place / deviation) ** 2);
  const { edge, step, mass } = before;
  const reach = REACH_DEVIATIONS * deviation;
  const first = Math.max(0, Math.ceil((place - reach + edge) / step));
  const last = Math.min(mass.length - 1, Math.floor((place + reach + edge) / step));
  let sum = 0;
  for (let index = first; index <= last; index += 1) {
    const distance = (place - (index * step - edge)) / deviation;
    sum += (mass[index] ?? 0) * Math.exp(-0.5 * distance * distance);
  }
  return scale * sum;
}
