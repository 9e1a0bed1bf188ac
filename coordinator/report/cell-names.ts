import type { CellSummary, RunSummary } from '../analysis/run-summary.ts';
import type { Cell } from '../../schemas/result.ts';

/** More small plots than this beside each other are not read by anybody. */
export const PANELS_MAX = 24;

/** More rows than this make a plot taller than a page. */
export const ROWS_MAX = 40;

/** The name of a cell's row. */
export function rowTitle({ cell }: Pick<CellSummary, 'cell'>): string {
  const name = `${cell.sandbox}, ${cell.function}`;
  return cell.instances === 1 ? name : `${name} × ${cell.instances}`;
}

/** What the cells have in common that differ in nothing but the kind of sandbox. */
export function groupTitle({
  function: name,
  instances,
}: Pick<Cell, 'function' | 'instances'>): string {
  return instances === 1 ? name : `${name}, ${instances} at once`;
}

/** The kinds of sandbox in the order of the experiment: the numbers of their looks. */
export function sandboxesOf({ cells }: Pick<RunSummary, 'cells'>): string[] {
  return [...new Set(cells.map(({ cell }) => cell.sandbox))];
}
