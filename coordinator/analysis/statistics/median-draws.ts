import type { FastRandom } from './fast-random.ts';

/**
 * The median of a resample with replacement, in time that does not depend on the size of the
 * sample: a resample takes the places floor(n U) of the sorted sample for n uniform U, so its
 * middle values stand at the places of the middle order statistics of n uniform numbers, which are
 * Beta distributed (H. David, H. Nagaraja, "Order Statistics", 3rd ed., 2003, section 2.3). It has
 * exactly the distribution that drawing all n values would have.
 *
 * @param sorted in ascending order, at least one value
 */
function drawMedian(sorted: Float64Array, random: FastRandom): number {
  const size = sorted.length;
  if (size === 1) return sorted[0] ?? Number.NaN;
  const half = size >>> 1;
  const first = random.nextGamma(size - half);
  return size % 2 === 1
    ? at(sorted, first / (first + random.nextGamma(half + 1)))
    : evenMedian(sorted, first / (first + random.nextGamma(half + 1)), random);
}

/** The next order statistic is the least of those left, which lie evenly above the first. */
function evenMedian(sorted: Float64Array, share: number, random: FastRandom): number {
  const left = sorted.length >>> 1;
  const next = share + (1 - share) * (1 - Math.pow(1 - random.next(), 1 / left));
  return (at(sorted, share) + at(sorted, next)) / 2;
}

function at(sorted: Float64Array, share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? Number.NaN;
}

/** Medians of independent resamples, in no order. */
export function drawMedians(
  sorted: Float64Array,
  resamples: number,
  random: FastRandom,
): Float64Array {
  const medians = new Float64Array(resamples);
  for (let index = 0; index < resamples; index += 1) medians[index] = drawMedian(sorted, random);
  return medians;
}
