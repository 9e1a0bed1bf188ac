import type { Interval } from '../run-summary.ts';
import { filledUnits, isLeaf } from './groups.ts';
import type { Nested } from './groups.ts';
import { quickMedian } from './quick-median.ts';
import { studentQuantile } from './student.ts';
import { COVERAGE } from './coverage.ts';

/** A figure of independent units, such as hosts, with its interval. */
export interface Location {
  /** Geometric mean of the units' medians; the mean if one is not positive. */
  readonly estimate: number;
  /** Absent for fewer than two units, or if all are alike. */
  readonly interval?: Interval;
  /** Units at the top that have values. */
  readonly units: number;
}

/**
 * Where a typical unit lies: each unit at the top gives one number, its median, or the mean of what
 * the units below it give; the interval is Student's over these numbers, on logarithms if all are
 * positive. Only how much the units at the top differ enters, and that holds all that is below (T.
 * Kalibera, R. Jones, "Rigorous benchmarking in reasonable time", ISMM 2013, section 9). It keeps
 * its coverage with few units, as the bootstrap does not.
 *
 * @returns undefined if no unit has a value
 */
export function locationInterval(nested: Nested, coverage = COVERAGE): Location | undefined {
  const filled = filledUnits(nested);
  const units = isLeaf(filled) ? filled.map((value) => [value]) : filled;
  if (units.length === 0) return undefined;
  const isPositive = leastMedian(units) > 0;
  const centres = units.map((unit) => centreOf(unit, isPositive));
  const back = isPositive ? Math.exp : (value: number) => value;
  const { mean, error } = momentsOf(centres);
  const estimate = back(mean);
  if (!(error > 0)) return { estimate, units: units.length };
  const half = studentQuantile((1 + coverage) / 2, units.length - 1) * error;
  const interval = { lower: back(mean - half), upper: back(mean + half), coverage };
  return { estimate, units: units.length, interval };
}

/** Mean and its standard error; the error is NaN for fewer than two values. */
export function momentsOf(values: readonly number[]): { mean: number; error: number } {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  return { mean, error: Math.sqrt(squares / (values.length - 1) / values.length) };
}

/** The median of a unit's values, or the mean over the units below; of logarithms if asked. */
export function centreOf(nested: Nested, isLogarithmic: boolean): number {
  if (isLeaf(nested)) {
    const median = quickMedian(Float64Array.from(nested));
    return isLogarithmic ? Math.log(median) : median;
  }
  return momentsOf(nested.map((unit) => centreOf(unit, isLogarithmic))).mean;
}

/** The least median of a unit that has values. */
export function leastMedian(nested: Nested): number {
  if (isLeaf(nested)) return quickMedian(Float64Array.from(nested));
  return nested.reduce((least, unit) => Math.min(least, leastMedian(unit)), Infinity);
}
