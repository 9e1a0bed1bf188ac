import type { DuckDBDataChunk, DuckDBVector } from '@duckdb/node-api';
import type { Column } from './column.ts';

/** A column of some rows. Undefined is null in the file. */
export type Values<T> = readonly (T | undefined)[];

/** How a column of a table is fetched and decoded. */
export interface ColumnPlan {
  readonly column: Column;
  /** What to select for it. Absent if it holds nothing but nulls. */
  readonly expression?: string;
  /** The texts that its codes stand for. Absent if it is fetched as it is. */
  readonly texts?: readonly string[];
}

/** Most rows of a chunk of DuckDB. */
const CHUNK_ROWS = 2048;

const NOTHING: readonly undefined[] = Array.from({ length: CHUNK_ROWS }, () => undefined);

/**
 * Decodes a chunk column by column: an array of values by the name of the column. Each kind of
 * vector has a loop of its own, which makes them several times faster than one for all.
 */
export function decodeChunk(
  chunk: DuckDBDataChunk,
  plans: readonly ColumnPlan[],
): Record<string, Values<unknown>> {
  const arrays: Record<string, Values<unknown>> = {};
  let place = 0;
  for (const { column, expression, texts } of plans) {
    if (expression === undefined) {
      arrays[column.name] = NOTHING;
      continue;
    }
    const vector = chunk.getColumnVector(place);
    place += 1;
    const rows = chunk.rowCount;
    if (texts !== undefined) arrays[column.name] = codedTexts(vector, rows, texts);
    else if (column.type === 'BIGINT') arrays[column.name] = integers(vector, rows);
    else if (column.type === 'VARCHAR') arrays[column.name] = plainTexts(vector, rows);
    else arrays[column.name] = others(vector, rows);
  }
  return arrays;
}

function codedTexts(vector: DuckDBVector, rows: number, texts: readonly string[]): Values<string> {
  const values: (string | undefined)[] = [];
  for (let row = 0; row < rows; row += 1) {
    const code = vector.getItem(row);
    values.push(typeof code === 'number' ? texts[code] : undefined);
  }
  return values;
}

function integers(vector: DuckDBVector, rows: number): Values<bigint> {
  const values: (bigint | undefined)[] = [];
  for (let row = 0; row < rows; row += 1) {
    const value = vector.getItem(row);
    values.push(typeof value === 'bigint' ? value : undefined);
  }
  return values;
}

function plainTexts(vector: DuckDBVector, rows: number): Values<string> {
  const values: (string | undefined)[] = [];
  for (let row = 0; row < rows; row += 1) {
    const value = vector.getItem(row);
    values.push(typeof value === 'string' ? value : undefined);
  }
  return values;
}

function others(vector: DuckDBVector, rows: number): Values<number | boolean> {
  const values: (number | boolean | undefined)[] = [];
  for (let row = 0; row < rows; row += 1) {
    const value = vector.getItem(row);
    values.push(typeof value === 'number' || typeof value === 'boolean' ? value : undefined);
  }
  return values;
}
