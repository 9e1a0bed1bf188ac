import type { QueryAnswer, QueryValue } from '../store/query.ts';
import { textTable } from './text-table.ts';

/** Longest text in a table, columns. */
const CELL_COLUMNS_MAX = 60;

/** An answer as a table of text. */
export interface AnswerTable {
  readonly text: string;
  /** Rows of the answer. */
  readonly rows: number;
  /** Rows of the table. */
  readonly shown: number;
}

/** The first rows of an answer as a table, for a terminal; the others are counted. */
export async function tableText(answer: QueryAnswer, rowsMax: number): Promise<AnswerTable> {
  const shown: string[][] = [];
  let rows = 0;
  for await (const batch of answer.rows()) {
    const room = Math.max(0, rowsMax - rows);
    shown.push(...batch.slice(0, room).map((row) => row.map(cellText)));
    rows += batch.length;
  }
  return { text: textTable(answer.names, shown), rows, shown: shown.length };
}

/** An answer as NDJSON: an object per row, by the names of the columns. */
export async function* jsonPieces(answer: QueryAnswer): AsyncGenerator<string> {
  for await (const rows of answer.rows()) {
    yield rows
      .map((row) => Object.fromEntries(answer.names.map((name, index) => [name, row[index]])))
      .map((object) => `${JSON.stringify(object)}\n`)
      .join('');
  }
}

/**
 * An answer as CSV (RFC 4180, with a header), as the CSV of results: text is always quoted, numbers
 * never, and what is absent is empty.
 */
export async function* csvPieces(answer: QueryAnswer): AsyncGenerator<string> {
  const { names, areNumbers } = answer;
  yield `${names.map(csvText).join(',')}\r\n`;
  for await (const batch of answer.rows()) {
    yield batch
      .map((row) => row.map((value, index) => csvField(value, areNumbers[index] === true)))
      .map((fields) => `${fields.join(',')}\r\n`)
      .join('');
  }
}

function csvField(value: QueryValue | undefined, isNumber: boolean): string {
  if (value === null || value === undefined) return '';
  const text = plainText(value);
  return isNumber ? text : csvText(text);
}

function csvText(text: string): string {
  return `"${text.replaceAll('"', '""')}"`;
}

function cellText(value: QueryValue): string {
  if (value === null) return '-';
  // Control characters could move the cursor, and a line end would break the table.
  const text = plainText(value).replaceAll(/\p{Cc}+/gu, ' ');
  return text.length <= CELL_COLUMNS_MAX ? text : `${text.slice(0, CELL_COLUMNS_MAX - 1)}…`;
}

function plainText(value: QueryValue): string {
  return typeof value === 'object' ? JSON.stringify(value) : String(value);
}
