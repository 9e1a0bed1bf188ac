/**
 * The dip of a sample: the largest distance between its distribution function and the nearest
 * unimodal one (J. A. Hartigan, P. M. Hartigan, "The dip test of unimodality", Ann. Statist. 13(1),
 * 1985). It lies between 1 / 2n and 1/4. The modal interval is narrowed step by step: left of it
 * the nearest function is the greatest convex minorant, right of it the least concave majorant.
 *
 * @param sorted ascending, without equal values; see `spreadTies`
 */
export function dip(sorted: Float64Array): number {
  const size = sorted.length;
  let [low, high] = [0, size - 1];
  // In steps of 1/n, and twice the dip: a step of the function itself is never nearer.
  let distance = 1;
  while (low < high) {
    const minorant = hull(sorted, low, high, 1);
    const majorant = hull(sorted, low, high, -1);
    const gap = widestGap(sorted, minorant, majorant);
    if (gap.width <= distance) break;
    distance = Math.max(
      distance,
      largestMiss(sorted, minorant, [low, gap.low]),
      largestMiss(sorted, majorant, [gap.high, high]),
    );
    if (gap.low === low && gap.high === high) break;
    [low, high] = [gap.low, gap.high];
  }
  return distance / (2 * size);
}

/** The places where the hull of the points (value, place) bends: below for 1, above for -1. */
function hull(sorted: Float64Array, low: number, high: number, side: 1 | -1): number[] {
  const knots: number[] = [];
  for (let place = low; place <= high; place += 1) {
    while (knots.length >= 2) {
      const [first = 0, middle = 0] = knots.slice(-2);
      if (side * bend(sorted, [first, middle, place]) > 0) break;
      knots.pop();
    }
    knots.push(place);
  }
  return knots;
}

/** Above 0 if the line through three places bends upwards. */
function bend(sorted: Float64Array, [a, b, c]: readonly [number, number, number]): number {
  const [x, y, z] = [sorted[a] ?? 0, sorted[b] ?? 0, sorted[c] ?? 0];
  return (y - x) * (c - b) - (z - y) * (b - a);
}

/** The height of a line between two places, at the value of a third. */
function lineAt(sorted: Float64Array, [from, to]: readonly [number, number], at: number): number {
  const [begin, end, value] = [sorted[from] ?? 0, sorted[to] ?? 0, sorted[at] ?? 0];
  return end === begin ? to : from + ((to - from) * (value - begin)) / (end - begin);
}

interface Gap {
  readonly width: number;
  readonly low: number;
  readonly high: number;
}

/** Where majorant and minorant are farthest apart, at a knot of either. */
function widestGap(
  sorted: Float64Array,
  minorant: readonly number[],
  majorant: readonly number[],
): Gap {
  let widest: Gap = { width: 0, low: minorant[0] ?? 0, high: majorant.at(-1) ?? 0 };
  const look = (knots: readonly number[], others: readonly number[], isMinorant: boolean): void => {
    let segment = 0;
    for (const knot of knots) {
      while (segment < others.length - 2 && (others[segment + 1] ?? Infinity) < knot) segment += 1;
      const ends = [others[segment] ?? 0, others[segment + 1] ?? 0] as const;
      const height = lineAt(sorted, ends, knot);
      const width = (isMinorant ? height - knot : knot - height) + 1;
      if (width <= widest.width) continue;
      // The modal interval reaches to the next knot of the other function.
      widest = isMinorant
        ? { width, low: knot, high: ends[0] >= knot ? ends[0] : ends[1] }
        : { width, low: ends[1] <= knot ? ends[1] : ends[0], high: knot };
    }
  };
  look(minorant, majorant, true);
  look(majorant, minorant, false);
  return widest;
}

/** The largest distance of the step function to a hull, within some places. */
function largestMiss(
  sorted: Float64Array,
  knots: readonly number[],
  [begin, end]: readonly [number, number],
): number {
  let largest = 1;
  for (let index = 0; index + 1 < knots.length; index += 1) {
    const ends = [knots[index] ?? 0, knots[index + 1] ?? 0] as const;
    if (ends[0] < begin || ends[1] > end) continue;
    for (let place = ends[0] + 1; place < ends[1]; place += 1) {
      largest = Math.max(largest, Math.abs(lineAt(sorted, ends, place) - place) + 1);
    }
  }
  return largest;
}
