import type { ImportMistake } from './import-mistake.ts';

/** One line of a CSV file, as texts. */
export interface CsvRow {
  /** From 1; the header has one too. */
  readonly line: number;
  readonly fields: readonly string[];
}

/**
 * The rows of a CSV text (RFC 4180, but no line ends within quotes), one by one. A byte order mark,
 * either kind of line end, spaces around fields, and empty lines are passed over.
 */
export function* csvRows(text: string): Generator<CsvRow> {
  let line = 0;
  let start = 0;
  while (start < text.length) {
    const found = text.indexOf('\n', start);
    const end = found === -1 ? text.length : found;
    line += 1;
    // To trim takes a byte order mark away, too.
    const content = text.slice(start, end).trim();
    if (content !== '') yield { line, fields: fieldsOf(content) };
    start = end + 1;
  }
}

/** What is wrong with the number of fields of a row. Undefined if nothing is. */
export function fieldCountMistake(row: CsvRow, columns: readonly string[]): ImportMistake[] {
  if (row.fields.length === columns.length) return [];
  const isComma = row.fields.length > columns.length && row.fields.some((one) => /^\d+$/.test(one));
  return [
    {
      line: row.line,
      message:
        `${row.fields.length} fields where the header has ${columns.length}` +
        (isComma ? '; if that is a decimal comma, use a point' : ''),
    },
  ];
}

function fieldsOf(content: string): string[] {
  if (!content.includes('"')) return content.split(',').map((field) => field.trim());
  const fields: string[] = [];
  const pattern = /\s*(?:"((?:[^"]|"")*)"|([^,]*))\s*(?:,|$)/gy;
  while (pattern.lastIndex < content.length) {
    const match = pattern.exec(content);
    if (match === null) return content.split(',').map((field) => field.trim());
    fields.push((match[1]?.replaceAll('""', '"') ?? match[2] ?? '').trim());
  }
  if (content.endsWith(',')) fields.push('');
  return fields;
}
