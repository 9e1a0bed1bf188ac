import { Identifier } from '../../schemas/units.ts';
import type { Cell } from '../../schemas/result.ts';

/** Most different values of one factor: a file with more is none of measurements. */
const NAMES_MAX = 256;

/** Gives each combination of factors one cell. */
export class CellBook {
  readonly #cells = new Map<string, Cell>();
  readonly #sandboxes = new Set<string>();
  readonly #functions = new Set<string>();

  /** @returns the cell, or what is wrong with a name. */
  cell(sandbox: string, functionName: string, instances = 1): Cell | string {
    const id = `${sandbox}/${functionName}/${instances}`;
    const known = this.#cells.get(id);
    if (known !== undefined) return known;
    for (const name of [sandbox, functionName]) {
      if (!Identifier.safeParse(name).success) {
        return `'${name.slice(0, 80)}' is no name: use lower-case letters, digits and hyphens`;
      }
    }
    this.#sandboxes.add(sandbox);
    this.#functions.add(functionName);
    if (this.#sandboxes.size > NAMES_MAX || this.#functions.size > NAMES_MAX) {
      return `more than ${NAMES_MAX} different names in one column`;
    }
    const cell = { id, sandbox, function: functionName, instances };
    this.#cells.set(id, cell);
    return cell;
  }
}
