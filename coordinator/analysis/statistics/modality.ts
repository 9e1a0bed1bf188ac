import { dip } from './dip.ts';
import { sortedQuantile } from './sorted-quantile.ts';

/** Whether a sample has one mode or more. */
export interface Modality {
  readonly dip: number;
  /** Chance of such a dip if there is one mode; 1 for all above 5 %, which is as far as we look. */
  readonly pValue: number;
  /** Two groups of values, apart where they lie farthest from each other; the lower comes first. */
  readonly modes: readonly [Mode, Mode];
}

/** One group of values. */
export interface Mode {
  /** Its median. */
  readonly centre: number;
  /** Its part of all values, 0 to 1. */
  readonly share: number;
}

/** Fewer values have no shape. */
export const MODALITY_VALUES_MIN = 20;

/** More values than this are thinned to it; a test of so many finds what does not matter. */
const VALUES_MAX = 5000;

/** A smaller group of values is not told as a mode. */
const SHARE_MIN = 0.05;

const LEVELS = [0.05, 0.02, 0.01, 0.005, 0.002, 0.001, 0.0001] as const;

/**
 * Upper quantiles of the dip of uniform values, which of all unimodal distributions dip most: by
 * size, for the levels above. From a million simulations of each size by M. Maechler (R package
 * diptest, data set qDiptab); the tests simulate some of them again.
 */
const QUANTILES: readonly (readonly [number, ...number[]])[] = [
  [20, 0.10513, 0.11431, 0.120624, 0.126552, 0.133601, 0.13857, 0.152833],
  [30, 0.088169, 0.096056, 0.101479, 0.106505, 0.112725, 0.117164, 0.131199],
  [50, 0.070274, 0.07671, 0.0812, 0.085285, 0.090485, 0.094093, 0.104681],
  [100, 0.051128, 0.055802, 0.059024, 0.062043, 0.065802, 0.068448, 0.076258],
  [200, 0.036842, 0.040273, 0.042686, 0.044959, 0.047764, 0.04972, 0.05587],
  [500, 0.023729, 0.02592, 0.027452, 0.028899, 0.030681, 0.032017, 0.035983],
  [1000, 0.016934, 0.018513, 0.019608, 0.020649, 0.021929, 0.022869, 0.025613],
  [2000, 0.012038, 0.013172, 0.013966, 0.014689, 0.015608, 0.016269, 0.018194],
  [5000, 0.007651, 0.008368, 0.008864, 0.009342, 0.009932, 0.01035, 0.011733],
];

/**
 * Hartigan's dip test of one mode, and where two would be. Values that were rounded to a grid are
 * first spread over their steps, as a rounded sample dips by its rounding alone.
 *
 * @returns undefined for fewer than 20 values, or if all are alike
 */
export function modality(values: ArrayLike<number>): Modality | undefined {
  if (values.length < MODALITY_VALUES_MIN) return undefined;
  const all = Float64Array.from(values).sort();
  if (all[0] === all.at(-1)) return undefined;
  const size = Math.min(all.length, VALUES_MAX);
  const sorted =
    all.length === size
      ? all
      : Float64Array.from({ length: size }, (_, index) =>
          sortedQuantile(all, (index + 0.5) / size),
        );
  const found = dip(spreadTies(sorted));
  return { dip: found, pValue: pValueOf(found, size), modes: twoModes(sorted) };
}

/** Equal values evenly over half of the way to their neighbours on each side. */
export function spreadTies(sorted: Float64Array): Float64Array {
  const spread = sorted.slice();
  for (let begin = 0; begin < sorted.length;) {
    const value = sorted[begin] ?? 0;
    let end = begin + 1;
    while (end < sorted.length && sorted[end] === value) end += 1;
    const [below, above] = [sorted[begin - 1], sorted[end]];
    const downwards = value - (below ?? value - ((above ?? value) - value));
    const upwards = (above ?? value + downwards) - value;
    const count = end - begin;
    for (let index = 0; count > 1 && index < count; index += 1) {
      const share = (index + 0.5) / count;
      spread[begin + index] = value - downwards / 2 + (share * (downwards + upwards)) / 2;
    }
    begin = end;
  }
  return spread;
}

/** Between the sizes of the table the dip goes with the root of the size. */
function pValueOf(found: number, size: number): number {
  const next = Math.max(
    1,
    QUANTILES.findIndex(([tabled]) => tabled >= size),
  );
  const [before, after] = [QUANTILES[next - 1], QUANTILES[next]];
  if (before === undefined || after === undefined) return 1;
  const weight = (size - before[0]) / (after[0] - before[0]);
  const scaled = LEVELS.map((_, index) => {
    const low = (before[index + 1] ?? 0) * Math.sqrt(before[0]);
    const high = (after[index + 1] ?? 0) * Math.sqrt(after[0]);
    return low + weight * (high - low);
  });
  const value = found * Math.sqrt(size);
  const above = scaled.findIndex((quantile) => quantile > value);
  if (above === 0) return 1;
  const last = LEVELS.length - 1;
  if (above === -1) return LEVELS[last] ?? 1;
  const [high = 1, low = 1] = [LEVELS[above - 1], LEVELS[above]];
  const [begin = 0, end = 1] = [scaled[above - 1], scaled[above]];
  return high * (low / high) ** ((value - begin) / (end - begin));
}

/**
 * The split into two groups that explains most of the variance (N. Otsu, "A threshold selection
 * method from gray-level histograms", IEEE Trans. SMC 9(1), 1979), each with 5 % of the values at
 * least.
 */
function twoModes(sorted: Float64Array): [Mode, Mode] {
  const size = sorted.length;
  const total = sorted.reduce((sum, value) => sum + value, 0);
  const least = Math.max(1, Math.ceil(SHARE_MIN * size));
  let [best, split, sum] = [-1, least, 0];
  for (let below = 1; below <= size - least; below += 1) {
    sum += sorted[below - 1] ?? 0;
    if (below < least) continue;
    const between = (sum / below - (total - sum) / (size - below)) ** 2 * below * (size - below);
    if (between > best) [best, split] = [between, below];
  }
  const modeOf = (part: Float64Array): Mode => ({
    centre: sortedQuantile(part, 0.5),
    share: part.length / size,
  });
  return [modeOf(sorted.subarray(0, split)), modeOf(sorted.subarray(split))];
}
