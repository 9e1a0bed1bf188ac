import { regularisedBeta } from './special-functions.ts';

/** Halvings of the bracket, after which it is as narrow as a double allows. */
const HALVINGS = 70;

/**
 * The distribution function of Student's t ("The probable error of a mean", Biometrika 6, 1908).
 *
 * @param degrees of freedom, above 0; may be a fraction
 */
export function studentCdf(value: number, degrees: number): number {
  const tail = 0.5 * regularisedBeta(degrees / (degrees + value * value), degrees / 2, 0.5);
  return value > 0 ? 1 - tail : tail;
}

/**
 * The quantile of Student's t, by halving.
 *
 * @param probability more than 0 and less than 1
 * @param degrees of freedom, above 0; may be a fraction
 */
export function studentQuantile(probability: number, degrees: number): number {
  if (!(probability > 0 && probability < 1)) {
    throw new RangeError(`a probability lies between 0 and 1, not ${probability}`);
  }
  if (probability < 0.5) return -studentQuantile(1 - probability, degrees);
  let low = 0;
  let high = 2;
  while (studentCdf(high, degrees) < probability) high *= 2;
  for (let index = 0; index < HALVINGS; index += 1) {
    const middle = (low + high) / 2;
    if (studentCdf(middle, degrees) < probability) low = middle;
    else high = middle;
  }
  return (low + high) / 2;
}
