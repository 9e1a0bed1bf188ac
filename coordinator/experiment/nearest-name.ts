const LENGTH_MAX = 64;

/**
 * The known name that a mistyped word most likely means: the one with the fewest edits, if these
 * are at most a third of its length. Undefined if none is near.
 */
export function nearestName(word: string, known: readonly string[]): string | undefined {
  if (word.length > LENGTH_MAX) return undefined;
  const wanted = word.toLowerCase();
  let nearest: string | undefined;
  let nearestEdits = Number.POSITIVE_INFINITY;
  for (const name of known) {
    const edits = countEdits(wanted, name.toLowerCase());
    if (edits > Math.max(1, Math.floor(name.length / 3)) || edits >= nearestEdits) continue;
    nearest = name;
    nearestEdits = edits;
  }
  return nearest;
}

/** A hint that lists the known names and the one that was probably meant. */
export function nearestNameHint(word: string, known: readonly string[]): string {
  const nearest = nearestName(word, known);
  const list = known.length === 0 ? 'There are none.' : `Known: ${known.join(', ')}.`;
  return nearest === undefined ? list : `Did you mean "${nearest}"? ${list}`;
}

/**
 * Fewest insertions, deletions, replacements and swaps of neighbours that turn one text into the
 * other, where no part is edited twice (optimal string alignment).
 */
export function countEdits(from: string, to: string): number {
  const width = to.length + 1;
  let beforeLast: number[] = [];
  let last = Array.from({ length: width }, (_, column) => column);
  for (let row = 1; row <= from.length; row += 1) {
    const current = [row];
    for (let column = 1; column < width; column += 1) {
      const isSame = from[row - 1] === to[column - 1];
      const options = [
        at(last, column) + 1,
        at(current, column - 1) + 1,
        at(last, column - 1) + (isSame ? 0 : 1),
      ];
      if (from[row - 1] === to[column - 2] && from[row - 2] === to[column - 1]) {
        options.push(at(beforeLast, column - 2) + 1);
      }
      current.push(Math.min(...options));
    }
    beforeLast = last;
    last = current;
  }
  return at(last, width - 1);
}

/** A cell of the table; a cell outside of it can't be reached by any edit. */
function at(row: readonly number[], column: number): number {
  return row[column] ?? Number.POSITIVE_INFINITY;
}
