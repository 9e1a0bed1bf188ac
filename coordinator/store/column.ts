/** The version of the tables' shape; it rises when a column is added, goes, or changes. */
export const STORE_SCHEMA_VERSION = 3;

/** What stands in a column; all of it every reader of Parquet knows. */
export type ColumnType = 'VARCHAR' | 'BIGINT' | 'INTEGER' | 'DOUBLE' | 'BOOLEAN';

/** A column of a table, as `docs/data.md` describes it. */
export interface Column {
  readonly name: string;
  readonly type: ColumnType;
}

/** A value of a column. Undefined is absent: null in the file. */
export type ColumnValue = string | bigint | number | boolean | undefined;

/** A column with where its value comes from. */
export interface FilledColumn<Row> extends Column {
  readonly read: (row: Row) => ColumnValue;
}

/** Makes the columns of one type from names and what they read. */
export function columnsOf<Row>(
  type: ColumnType,
  reads: Readonly<Record<string, (row: Row) => ColumnValue>>,
): FilledColumn<Row>[] {
  return Object.entries(reads).map(([name, read]) => ({ name, type, read }));
}

const BIGINT_MIN = -(2n ** 63n);
const BIGINT_MAX = 2n ** 63n - 1n;

/**
 * True if a column can hold the value as it is. An integer beyond 64 bits can't be held, nor a text
 * that is no proper Unicode or has a NUL in it.
 */
export function isHeld(value: ColumnValue): boolean {
  if (typeof value === 'bigint') return value >= BIGINT_MIN && value <= BIGINT_MAX;
  if (typeof value === 'string') return value.isWellFormed() && !value.includes('\0');
  return true;
}

/** The columns as SQL, for a table. */
export function columnDefinitions(columns: readonly Column[]): string {
  return columns.map(({ name, type }) => `"${name}" ${type}`).join(', ');
}

/** The columns' names as SQL. */
export function columnNames(columns: readonly Column[], table?: string): string {
  const prefix = table === undefined ? '' : `${table}.`;
  return columns.map(({ name }) => `${prefix}"${name}"`).join(', ');
}

/** A text as SQL. */
export function sqlText(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}
