import type { DuckDBConnection } from '@duckdb/node-api';
import { sqlText } from './column.ts';
import type { Column } from './column.ts';
import type { ColumnPlan } from './column-arrays.ts';

/** A column with more different texts than this is fetched as text, and not as codes. */
const TEXTS_MAX = 1000;

/** A column to fetch. */
export interface WantedColumn extends Column {
  /** True if it is taken as if it had no value. */
  readonly isOmitted?: boolean;
}

/**
 * Looks at a Parquet file to see how its columns are fetched fastest: those without any value not
 * at all, and those with few different texts as codes, because a text costs as much as ten numbers.
 *
 * @throws Error of the database if the file has not the columns that are wanted
 */
export async function planColumns(
  connection: DuckDBConnection,
  path: string,
  columns: readonly WantedColumn[],
): Promise<ColumnPlan[]> {
  const filled = await filledColumns(connection, path);
  const plans: ColumnPlan[] = [];
  for (const column of columns) {
    const name = `"${column.name}"`;
    if (column.isOmitted === true || !filled.has(column.name)) {
      plans.push({ column });
      continue;
    }
    const texts = column.type === 'VARCHAR' ? await fewTexts(connection, path, name) : undefined;
    if (texts === undefined) {
      plans.push({ column, expression: name });
      continue;
    }
    const type = `"${column.name} of ${plans.length} in ${path.replaceAll('"', '')}"`;
    await connection.run(`CREATE TYPE ${type} AS ENUM (${texts.map(sqlText).join(', ')})`);
    plans.push({ column, expression: `enum_code(${name}::${type})::INTEGER`, texts });
  }
  return plans;
}

/** Columns that have a value, or of which the file does not say that they have none. */
async function filledColumns(connection: DuckDBConnection, path: string): Promise<Set<string>> {
  const read = await connection.runAndReadAll(
    `SELECT path_in_schema FROM parquet_metadata(${sqlText(path)}) GROUP BY path_in_schema
     HAVING bool_or(stats_null_count IS NULL OR stats_null_count < num_values)`,
  );
  return new Set(read.getRows().map(([name]) => String(name)));
}

async function fewTexts(
  connection: DuckDBConnection,
  path: string,
  name: string,
): Promise<string[] | undefined> {
  const read = await connection.runAndReadAll(
    `SELECT DISTINCT ${name} FROM read_parquet(${sqlText(path)})
     WHERE ${name} IS NOT NULL LIMIT ${TEXTS_MAX + 1}`,
  );
  const texts = read.getRows().map(([text]) => String(text));
  return texts.length > TEXTS_MAX ? undefined : texts;
}
