import type { DuckDBConnection, DuckDBResult } from '@duckdb/node-api';
import { LockstepError } from '../../schemas/errors.ts';
import { sqlText } from './column.ts';
import { queryError, queryHint } from './query-database.ts';

/** A value of a row: integers are numbers where those are exact, and else decimal texts. */
export type QueryValue =
  | string
  | number
  | boolean
  | null
  | readonly QueryValue[]
  | { readonly [name: string]: QueryValue };

/** The answer to a query, as it comes. */
export interface QueryAnswer {
  /** Names of the columns, each once. */
  readonly names: readonly string[];
  /** True for the columns that hold numbers. */
  readonly areNumbers: readonly boolean[];
  /** The rows, many at a time. */
  rows(): AsyncGenerator<QueryValue[][]>;
}

/**
 * Asks a question that only reads.
 *
 * @throws LockstepError QUERY_INVALID if it is no single SELECT, or a wrong one; STORAGE_FAILED if
 *   memory and disk are too small for it.
 */
export async function ask(connection: DuckDBConnection, sql: string): Promise<QueryAnswer> {
  await assertReadsOnly(connection, sql);
  const { DuckDBTypeId } = await import('@duckdb/node-api');
  const wholes: readonly number[] = [
    DuckDBTypeId.TINYINT,
    DuckDBTypeId.SMALLINT,
    DuckDBTypeId.INTEGER,
    DuckDBTypeId.BIGINT,
    DuckDBTypeId.HUGEINT,
    DuckDBTypeId.UTINYINT,
    DuckDBTypeId.USMALLINT,
    DuckDBTypeId.UINTEGER,
    DuckDBTypeId.UBIGINT,
    DuckDBTypeId.UHUGEINT,
  ];
  const numbers = [...wholes, DuckDBTypeId.DOUBLE, DuckDBTypeId.FLOAT, DuckDBTypeId.DECIMAL];
  let result: DuckDBResult;
  try {
    result = await connection.stream(sql);
  } catch (error) {
    throw queryError(error);
  }
  const types = result.columnTypes().map(({ typeId }): number => typeId);
  const areWhole = types.map((typeId) => wholes.includes(typeId));
  return {
    names: result.deduplicatedColumnNames(),
    areNumbers: types.map((typeId) => numbers.includes(typeId)),
    rows: () => rowsOf(result, areWhole),
  };
}

/**
 * Writes the answer to a query into a Parquet file.
 *
 * @returns the number of rows
 * @throws LockstepError as {@link ask}
 */
export async function askIntoParquet(
  connection: DuckDBConnection,
  sql: string,
  path: string,
): Promise<number> {
  await assertReadsOnly(connection, sql);
  const bare = sql.replace(/[;\s]+$/, '');
  try {
    const { rowsChanged } = await connection.run(
      `COPY (\n${bare}\n) TO ${sqlText(path)} (FORMAT parquet, COMPRESSION zstd)`,
    );
    return rowsChanged;
  } catch (error) {
    throw queryError(error);
  }
}

async function assertReadsOnly(connection: DuckDBConnection, sql: string): Promise<void> {
  const { StatementType } = await import('@duckdb/node-api');
  if (sql.trim() === '') throw notOne(0);
  let isSelect: boolean;
  try {
    const statements = await connection.extractStatements(sql);
    if (statements.count !== 1) throw notOne(statements.count);
    const prepared = await statements.prepare(0);
    isSelect = prepared.statementType === StatementType.SELECT;
    if (prepared.parameterCount > 0) {
      throw new LockstepError('QUERY_INVALID', 'a query can have no parameters', {
        hint: 'Write the values into it.',
      });
    }
    prepared.destroySync();
  } catch (error) {
    throw queryError(error);
  }
  // EXPLAIN ANALYZE would run whatever follows it, so it is none of those that only read.
  if (isSelect) return;
  throw new LockstepError('QUERY_INVALID', 'a query may only read: it must be a SELECT', {
    hint: queryHint(),
  });
}

function notOne(count: number): LockstepError {
  return new LockstepError('QUERY_INVALID', `there are ${count} statements, and not one`, {
    hint: 'Ask one question at a time.',
  });
}

async function* rowsOf(
  result: DuckDBResult,
  areWhole: readonly boolean[],
): AsyncGenerator<QueryValue[][]> {
  try {
    for await (const rows of result.yieldRowsJson()) {
      yield rows.map((row) =>
        row.map((value, index) => {
          const isText = areWhole[index] === true && typeof value === 'string';
          return isText ? exactNumber(value) : value;
        }),
      );
    }
  } catch (error) {
    throw queryError(error);
  }
}

/** A number if that is exact, and else the text. */
function exactNumber(text: string): number | string {
  const value = Number(text);
  return Number.isSafeInteger(value) ? value : text;
}
