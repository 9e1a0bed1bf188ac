import type {
  DuckDBAppender,
  DuckDBConnection,
  DuckDBDataChunk,
  DuckDBType,
  DuckDBValue,
} from '@duckdb/node-api';
import type { Column, ColumnType, ColumnValue } from './column.ts';

/** Rows that are handed over at once: what DuckDB works on at a time. */
const CHUNK_ROWS = 2048;

/** Adds rows to a table, many at once and column by column. */
export class ChunkAppender {
  readonly #appender: DuckDBAppender;
  readonly #chunk: DuckDBDataChunk;
  readonly #columns: readonly Column[];
  readonly #values: DuckDBValue[][];
  #rows = 0;

  private constructor(
    appender: DuckDBAppender,
    chunk: DuckDBDataChunk,
    columns: readonly Column[],
  ) {
    this.#appender = appender;
    this.#chunk = chunk;
    this.#columns = columns;
    this.#values = columns.map(() => []);
  }

  /** An appender to a table that has exactly these columns. */
  static async to(
    connection: DuckDBConnection,
    table: string,
    columns: readonly Column[],
  ): Promise<ChunkAppender> {
    const duckdb = await import('@duckdb/node-api');
    const typeOf: Record<ColumnType, DuckDBType> = {
      VARCHAR: duckdb.VARCHAR,
      BIGINT: duckdb.BIGINT,
      INTEGER: duckdb.INTEGER,
      DOUBLE: duckdb.DOUBLE,
      BOOLEAN: duckdb.BOOLEAN,
    };
    const types = columns.map(({ type }) => typeOf[type]);
    const appender = await connection.createAppender(table);
    return new ChunkAppender(appender, duckdb.DuckDBDataChunk.create(types), columns);
  }

  /** Adds a row: one value per column. */
  append(row: readonly ColumnValue[]): void {
    for (const [index, { type }] of this.#columns.entries()) {
      const value = row[index];
      const isWide = type === 'BIGINT' && typeof value === 'number';
      this.#values[index]?.push(isWide ? BigInt(value) : (value ?? null));
    }
    this.#rows += 1;
    if (this.#rows === CHUNK_ROWS) this.#flush();
  }

  /** Hands over what is left. */
  close(): void {
    if (this.#rows > 0) this.#flush();
    this.#appender.closeSync();
  }

  #flush(): void {
    // One chunk for all: what native code holds for each is only freed with its garbage.
    this.#chunk.reset();
    this.#chunk.rowCount = this.#rows;
    for (const [index, values] of this.#values.entries()) {
      this.#chunk.setColumnValues(index, values);
      values.length = 0;
    }
    this.#appender.appendDataChunk(this.#chunk);
    this.#rows = 0;
  }
}
