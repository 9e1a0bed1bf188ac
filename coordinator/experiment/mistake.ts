/** One mistake in a file that a person wrote. */
export interface Mistake {
  /** Line of the mistake, from 1. */
  readonly line: number;
  /** Column of the mistake, from 1. */
  readonly column: number;
  /** Where it is in the data, e.g. `factors.sandbox[1]`. Empty for the file as a whole. */
  readonly path: string;
  /** What is wrong, with the value that was found. */
  readonly message: string;
  /** What to write instead. */
  readonly hint: string;
}

/** A path into data, as zod gives it. */
export type DataPath = readonly PropertyKey[];

/** Writes a path as people do: `factors.sandbox[1]`. Empty for the root. */
export function formatDataPath(path: DataPath): string {
  let text = '';
  for (const segment of path) {
    if (typeof segment === 'number') text += `[${segment}]`;
    else if (/^[\w-]+$/.test(String(segment)))
      text += `${text === '' ? '' : '.'}${String(segment)}`;
    else text += `[${quote(String(segment))}]`;
  }
  return text;
}

/** Puts text that somebody else wrote into quotes, escaped and shortened, to stand in a line. */
export function quote(text: string): string {
  return JSON.stringify(text.length > 60 ? `${text.slice(0, 59)}…` : text);
}
