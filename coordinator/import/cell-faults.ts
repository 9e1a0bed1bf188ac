import { quantile } from '../analysis/quantile.ts';
import { rankCorrelation } from '../analysis/rank-correlation.ts';
import { cellList } from './cell-values.ts';
import type { CellValues } from './cell-values.ts';
import type { Limitation } from '../../schemas/provenance.ts';

/** Fewer values have no shape. */
const VALUES_MIN = 6;
const VALUES_FOR_ORDER = 20;

/** Fewer steps in the quartile range than this show in the ends of an interval. */
const STEPS_MIN = 5;
/** A step of more than this share of the median is coarse, whatever the spread. */
const STEP_SHARE_MAX = 0.05;

/** rho sqrt(n-1) beyond this has a probability of 3 in 100,000 for independent rows. */
const DEPENDENCE_Z = 4;
/** A correlation below this hardly narrows an interval. */
const DEPENDENCE_MIN = 0.3;

/** What mistaking ms for s, or us for ms, makes of a value. */
const UNIT_FACTORS = [500, 2000] as const;

/** Share of the cells that must agree on a number of rows, for the others to lack some. */
const AGREEING_MIN = 0.5;

/** Cells whose values are all 0, or all the same. */
export function constantFaults(cells: readonly CellValues[]): Limitation[] {
  const constant = cells.filter(({ values }) => values.every((value) => value === values[0]));
  const zeros = constant.filter(({ values }) => values[0] === 0);
  const same = constant.filter(({ values }) => values[0] !== 0 && values.length >= VALUES_MIN);
  return [
    ...limitation(
      'typed-zeros',
      zeros,
      (list) => `All values of ${list} are exactly 0, as if typed; they count as not measured.`,
    ),
    ...limitation(
      'constant-values',
      same,
      (list) => `All values of ${list} are the same: typed, or finer than the source can tell.`,
    ),
  ];
}

/** Cells whose values lie on few steps. */
export function coarseFaults(cells: readonly CellValues[], step: number): Limitation[] {
  const steps = (cell: CellValues): number => quartileRange(cell.values) / step;
  const coarse = cells.filter((cell) => {
    const { values } = cell;
    if (values.length < VALUES_MIN || values.every((value) => value === values[0])) return false;
    return steps(cell) < STEPS_MIN || step > STEP_SHARE_MAX * (quantile(values, 0.5) ?? 0);
  });
  return limitation(
    'coarse-resolution',
    coarse,
    (list) =>
      `The values have a step of ${step / 1e6} ms; the middle half of a cell spans only few of ` +
      `them: ${list}. Ends of intervals can't be finer.`,
    (cell) => `${cell.cell.id} (${steps(cell).toFixed(1)} steps)`,
  );
}

/** Cells in which neighbouring rows are alike. */
export function dependenceFaults(cells: readonly CellValues[]): Limitation[] {
  const correlated = cells.flatMap((cell) => {
    const { values } = cell;
    const rho = rankCorrelation(
      values.slice(1).map((value, index): [number, number] => [values[index] ?? 0, value]),
    );
    if (values.length < VALUES_FOR_ORDER || rho === undefined || rho < DEPENDENCE_MIN) return [];
    return rho * Math.sqrt(values.length - 2) > DEPENDENCE_Z ? [{ ...cell, rho }] : [];
  });
  return limitation(
    'dependent-rows',
    correlated,
    (list) =>
      `Neighbouring rows of a cell are alike (rank correlation): ${list}. Rows sorted by value, ` +
      'a drift, or calls to one sandbox do that; intervals come out too narrow.',
    ({ cell, rho }) => `${cell.id} ${rho.toFixed(2)}`,
  );
}

/** Values, or whole cells, that are about 1000 times as large as others, and rounder or finer. */
export function unitFaults(cells: readonly CellValues[]): Limitation[] {
  const within = cells.flatMap((cell) => {
    const middle = quantile(cell.values, 0.5) ?? 0;
    const large = cell.values.filter((value) => isUnitApart(value, middle));
    const small = cell.values.filter((value) => value > 0 && isUnitApart(middle, value));
    const rest = cell.values.filter(
      (value) => !isUnitApart(value, middle) && !isUnitApart(middle, value),
    );
    const isLarge = large.length > 0 && isRounder(large, rest);
    const isSmall = small.length > 0 && isRounder(rest, small);
    const count = (isLarge ? large.length : 0) + (isSmall ? small.length : 0);
    return count === 0 ? [] : [{ ...cell, count }];
  });
  const apart = cells.filter((cell) => {
    const middle = quantile(cell.values, 0.5) ?? 0;
    const others = cells.filter(
      (other) => other !== cell && other.cell.function === cell.cell.function,
    );
    return others.some(({ values }) => {
      const isLarger = isUnitApart(middle, quantile(values, 0.5) ?? 0);
      return isLarger && isRounder(cell.values, values);
    });
  });
  return [
    ...limitation(
      'mixed-units',
      within,
      (list) => `About 1000 times the rest of their cell, or a thousandth, are ${list}.`,
      ({ cell, count, values }) => `${count} of ${values.length} values of ${cell.id}`,
    ),
    ...limitation(
      'mixed-units',
      apart,
      (list) => `About 1000 times another cell of the same function, and rounder, is ${list}.`,
    ),
  ];
}

/** Cells with fewer rows than the round number that most have. */
export function missingFaults(cells: readonly CellValues[]): Limitation[] {
  const counts = new Map<number, number>();
  for (const { values } of cells) counts.set(values.length, (counts.get(values.length) ?? 0) + 1);
  const [usual, agreeing] = [...counts].reduce(
    (best, next) => (next[1] > best[1] ? next : best),
    [0, 0],
  );
  if (usual % 5 !== 0 || agreeing < 2 || agreeing < AGREEING_MIN * cells.length) return [];
  const short = cells.filter(({ values }) => values.length < usual);
  return limitation(
    'failures-missing',
    short,
    (list) =>
      `${agreeing} of ${cells.length} cells have ${usual} rows, but ${list}: what failed may be ` +
      'left out, and would make the others look better.',
    ({ cell, values }) => `${cell.id} ${values.length}`,
  );
}

function isUnitApart(large: number, small: number): boolean {
  if (small <= 0) return false;
  const factor = large / small;
  return factor >= UNIT_FACTORS[0] && factor <= UNIT_FACTORS[1];
}

/** True if values are multiples of a power of ten at least 100 times that of the others. */
function isRounder(values: readonly number[], others: readonly number[]): boolean {
  return powerOfTen(values) >= 100 * powerOfTen(others);
}

/** The largest power of ten that all values are multiples of. */
function powerOfTen(values: readonly number[]): number {
  let power = 1e15;
  for (const value of values) while (value % power !== 0) power /= 10;
  return power;
}

function quartileRange(values: readonly number[]): number {
  return (quantile(values, 0.75) ?? 0) - (quantile(values, 0.25) ?? 0);
}

/** Nothing for no cells; else one limitation that lists the first of them. */
function limitation<C extends CellValues>(
  code: Limitation['code'],
  cells: readonly C[],
  message: (list: string) => string,
  name: (cell: C) => string = ({ cell }) => cell.id,
): Limitation[] {
  if (cells.length === 0) return [];
  return [{ code, message: message(cellList(cells.map(name))) }];
}
