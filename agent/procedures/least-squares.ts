/** A point in the plane. */
export interface Point {
  readonly x: number;
  readonly y: number;
}

/**
 * Slope of the line through points by ordinary least squares, with an intercept of its own: the
 * covariance over the variance of x. Undefined for points that all have the same x.
 */
export function slopeOf(points: readonly Point[]): number | undefined {
  const meanX = mean(points.map(({ x }) => x));
  const meanY = mean(points.map(({ y }) => y));
  let covariance = 0;
  let variance = 0;
  for (const { x, y } of points) {
    covariance += (x - meanX) * (y - meanY);
    variance += (x - meanX) ** 2;
  }
  return variance === 0 ? undefined : covariance / variance;
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / Math.max(1, values.length);
}
