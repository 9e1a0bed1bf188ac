import type { Cell } from '../../schemas/result.ts';
import type { SourceValue } from './draft.ts';

/** The values of one cell of a source, in the order of the file. */
export interface CellValues {
  readonly cell: Cell;
  /** Times in ns, or bytes; whole numbers. */
  readonly values: readonly number[];
  /** For each value its place among all values of the source, from 0. */
  readonly places: readonly number[];
}

/** The values by cell; cells in the order they are first met. */
export function valuesByCell(values: readonly SourceValue[]): CellValues[] {
  const groups = new Map<Cell, { values: number[]; places: number[] }>();
  for (const [place, { cell, value }] of values.entries()) {
    let group = groups.get(cell);
    if (group === undefined) groups.set(cell, (group = { values: [], places: [] }));
    group.values.push(value);
    group.places.push(place);
  }
  return [...groups].map(([cell, group]) => ({ cell, ...group }));
}

/** The largest whole number that all values are multiples of; 0 if all are 0. */
export function stepOf(values: readonly number[]): number {
  let step = 0;
  for (const value of values) {
    step = greatestCommonDivisor(step, value);
    if (step === 1) break;
  }
  return step;
}

function greatestCommonDivisor(first: number, second: number): number {
  let [left, right] = [first, second];
  while (right !== 0) [left, right] = [right, left % right];
  return left;
}

/** Names of cells for a message: the first few, and how many more. */
export function cellList(names: readonly string[], shownMax = 4): string {
  const shown = names.slice(0, shownMax).join(', ');
  return names.length > shownMax ? `${shown} and ${names.length - shownMax} more` : shown;
}
