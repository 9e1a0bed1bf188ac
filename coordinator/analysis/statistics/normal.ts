/**
 * The standard normal distribution function, to about 1e-15, by the series and the continued
 * fraction of the error function (M. Abramowitz, I. Stegun, "Handbook of Mathematical Functions",
 * 7.1).
 */
export function normalCdf(value: number): number {
  return 0.5 * erfc(-value / Math.SQRT2);
}

/**
 * The quantile of the standard normal distribution: P. Acklam's rational approximation (2003,
 * relative error 1.2e-9) with one step of Halley's method, which brings it to full precision.
 *
 * @param probability greater than 0 and less than 1; at 0 and 1 it is minus and plus infinity
 */
export function normalQuantile(probability: number): number {
  if (!(probability >= 0 && probability <= 1)) {
    throw new RangeError(`a probability lies between 0 and 1, not ${probability}`);
  }
  if (probability === 0) return -Infinity;
  if (probability === 1) return Infinity;
  const start = acklam(probability);
  const error = normalCdf(start) - probability;
  const step = error * Math.sqrt(2 * Math.PI) * Math.exp((start * start) / 2);
  return start - step / (1 + (start * step) / 2);
}

const CENTRAL = {
  numerator: [
    -39.69683028665376, 220.9460984245205, -275.9285104469687, 138.357751867269, -30.66479806614716,
    2.506628277459239,
  ],
  denominator: [
    -54.47609879822406, 161.5858368580409, -155.6989798598866, 66.80131188771972,
    -13.28068155288572, 1,
  ],
} as const;
const TAIL = {
  numerator: [
    -0.007784894002430293, -0.3223964580411365, -2.400758277161838, -2.549732539343734,
    4.374664141464968, 2.938163982698783,
  ],
  denominator: [0.007784695709041462, 0.3224671290700398, 2.445134137142996, 3.754408661907416, 1],
} as const;
const TAIL_BELOW = 0.02425;

function acklam(probability: number): number {
  if (probability < TAIL_BELOW) return tail(Math.sqrt(-2 * Math.log(probability)));
  if (probability > 1 - TAIL_BELOW) return -tail(Math.sqrt(-2 * Math.log(1 - probability)));
  const centred = probability - 0.5;
  const square = centred * centred;
  const { numerator, denominator } = CENTRAL;
  return (polynomial(numerator, square) * centred) / polynomial(denominator, square);
}

function tail(root: number): number {
  return polynomial(TAIL.numerator, root) / polynomial(TAIL.denominator, root);
}

function polynomial(coefficients: readonly number[], value: number): number {
  return coefficients.reduce((sum, coefficient) => sum * value + coefficient, 0);
}

const SERIES_BELOW = 2.5;

function erfc(value: number): number {
  if (value < 0) return 2 - erfc(-value);
  return value < SERIES_BELOW ? 1 - erfSeries(value) : erfcFraction(value);
}

/** Abramowitz & Stegun 7.1.6, whose terms are all positive, so nothing cancels. */
function erfSeries(value: number): number {
  let term = value;
  let sum = value;
  for (let index = 1; index < 200 && term > sum * 1e-17; index += 1) {
    term *= (2 * value * value) / (2 * index + 1);
    sum += term;
  }
  return (2 / Math.sqrt(Math.PI)) * Math.exp(-value * value) * sum;
}

/** Abramowitz & Stegun 7.1.14, from its far end. */
function erfcFraction(value: number): number {
  let fraction = 0;
  for (let index = 120; index > 0; index -= 1) fraction = index / 2 / (value + fraction);
  return Math.exp(-value * value) / Math.sqrt(Math.PI) / (value + fraction);
}
