import type { Column } from './column.ts';

/**
 * The columns of samples.parquet: a row per series and instant, ordered by place of the trial in
 * the plan, trial, attempt, device, instance, source, metric, attributes and instant.
 */
export const SAMPLE_COLUMNS: readonly Column[] = [
  { name: 'trial', type: 'VARCHAR' },
  { name: 'attempt', type: 'BIGINT' },
  { name: 'device', type: 'VARCHAR' },
  { name: 'instance', type: 'INTEGER' },
  { name: 'source', type: 'VARCHAR' },
  { name: 'metric', type: 'VARCHAR' },
  { name: 'attributes', type: 'VARCHAR' },
  { name: 'unit', type: 'VARCHAR' },
  { name: 'atMonoNs', type: 'BIGINT' },
  { name: 'value', type: 'DOUBLE' },
];

/** The columns that together tell one series from another. */
export const SERIES_COLUMNS: readonly string[] = [
  ...['trial', 'attempt', 'device', 'instance', 'source', 'metric', 'attributes', 'unit'],
];

/**
 * Attributes as one text, `name=value,name=value` by name; a comma, an equals sign or a backslash
 * in a name or a value has a backslash before it. Undefined if there are none.
 */
export function attributesText(
  attributes: Readonly<Record<string, string>> | undefined,
): string | undefined {
  const pairs = Object.entries(attributes ?? {}).toSorted(([a], [b]) => (a < b ? -1 : 1));
  if (pairs.length === 0) return undefined;
  return pairs.map((pair) => pair.map(escaped).join('=')).join(',');
}

/** The attributes that {@link attributesText} made a text of. */
export function parseAttributes(text: string | undefined): Record<string, string> {
  const attributes: [string, string][] = [];
  for (const pair of text === undefined ? [] : split(text, ',')) {
    const [name = '', value = ''] = split(pair, '=').map((part) =>
      part.replaceAll(/\\(.)/gsu, '$1'),
    );
    attributes.push([name, value]);
  }
  return Object.fromEntries(attributes);
}

function escaped(text: string): string {
  return text.replaceAll(/[\\,=]/g, '\\$&');
}

/** Splits at separators that have no backslash before them. */
function split(text: string, separator: string): string[] {
  const parts: string[] = [];
  let from = 0;
  for (let at = 0; at < text.length; at += 1) {
    if (text[at] === '\\') at += 1;
    else if (text[at] === separator) {
      parts.push(text.slice(from, at));
      from = at + 1;
    }
  }
  return [...parts, text.slice(from)];
}
