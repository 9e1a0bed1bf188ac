import type { Cell } from '../../schemas/result.ts';
import type { SourceValue } from './draft.ts';

/** What the order of rows says of the order of trials. */
export type RowOrder =
  /** The same cycle of all cells, again and again: that is how it was measured. */
  | 'cycle'
  /** All rows of a sandbox, or of a cell, together. */
  | 'sorted'
  /** Neither, or only one cell. */
  | 'other';

/** Tells how rows stand in a file. */
export function rowOrderOf(values: readonly SourceValue[]): RowOrder {
  const cells = values.map(({ cell }) => cell);
  const distinct = new Set(cells).size;
  if (distinct < 2 || cells.length < 2 * distinct) return 'other';
  if (isCycle(cells, distinct)) return 'cycle';
  const sandboxes = cells.map(({ sandbox }) => sandbox);
  const isSorted = isInBlocks(cells) || (new Set(sandboxes).size > 1 && isInBlocks(sandboxes));
  return isSorted ? 'sorted' : 'other';
}

/** True if equal names stand together. */
function isInBlocks(names: readonly unknown[]): boolean {
  const changes = names.filter((name, index) => index > 0 && name !== names[index - 1]).length;
  return changes === new Set(names).size - 1;
}

function isCycle(cells: readonly Cell[], length: number): boolean {
  if (new Set(cells.slice(0, length)).size !== length) return false;
  return cells.every((cell, index) => cell === cells[index % length]);
}
