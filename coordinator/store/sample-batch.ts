import type { DuckDBAppender, DuckDBConnection, DuckDBDataChunk } from '@duckdb/node-api';
import { ChunkAppender } from './chunk-appender.ts';
import { columnDefinitions, columnNames, sqlText } from './column.ts';
import type { Column } from './column.ts';
import { SAMPLE_COLUMNS } from './sample-columns.ts';
import type { OrderedSeries } from './sample-series.ts';
import type { TrialOfDevice } from './read-samples.ts';

const SERIES_STAGE: readonly Column[] = [
  { name: 'series', type: 'INTEGER' },
  ...SAMPLE_COLUMNS.filter(({ name }) => name !== 'atMonoNs' && name !== 'value'),
];

/** Rows of a chunk: what the database works on at a time. */
const CHUNK_ROWS = 2048;

/** Rows of a batch: some 40 MB in the database. */
const ROWS_MAX = 2_000_000;

/**
 * Series of a batch. They are the smaller side of a join that keeps the order of the other side, as
 * long as they fit into memory.
 */
const SERIES_MAX = 50_000;

/**
 * Rows of samples on their way into a Parquet file, in the order in which they are added. Names
 * stand once per series, and numbers alone per row: that makes adding them ten times as fast.
 */
export class SampleBatch {
  readonly #connection: DuckDBConnection;
  readonly #series: ChunkAppender;
  readonly #values: ValueAppender;
  #seriesCount = 0;
  #rows = 0;

  private constructor(
    connection: DuckDBConnection,
    parts: { series: ChunkAppender; values: ValueAppender },
  ) {
    this.#connection = connection;
    this.#series = parts.series;
    this.#values = parts.values;
  }

  static async begin(connection: DuckDBConnection): Promise<SampleBatch> {
    await connection.run(`CREATE TABLE series (${columnDefinitions(SERIES_STAGE)})`);
    await connection.run(
      'CREATE TABLE sampleValues (series INTEGER, atMonoNs BIGINT, value DOUBLE)',
    );
    const series = await ChunkAppender.to(connection, 'series', SERIES_STAGE);
    return new SampleBatch(connection, { series, values: await ValueAppender.to(connection) });
  }

  /** True if it should be written before more is added. */
  isFull(rowsMax = ROWS_MAX): boolean {
    return this.#rows >= rowsMax || this.#seriesCount >= SERIES_MAX;
  }

  /** Adds a series. Rows that follow in time belong to one series of one part. */
  add(part: TrialOfDevice, { atMonoNs, values, ...name }: OrderedSeries): void {
    const { trialId, attempt, deviceId } = part;
    this.#series.append([
      ...[this.#seriesCount, trialId, attempt, deviceId, name.instance],
      ...[name.source, name.metric, name.attributes, name.unit],
    ]);
    this.#values.append(this.#seriesCount, atMonoNs, values);
    this.#seriesCount += 1;
    this.#rows += values.length;
  }

  /** Writes all of it into a Parquet file with these options of COPY, and forgets it. */
  async write(path: string, options: string): Promise<void> {
    this.#series.close();
    this.#values.close();
    const names = columnNames(SAMPLE_COLUMNS);
    // Else the database may take the values for the smaller side, and their order is lost.
    await this.#connection.run("SET disabled_optimizers = 'join_order,build_side_probe_side'");
    await this.#connection.run(
      `COPY (SELECT ${names} FROM sampleValues LEFT JOIN series USING (series))
       TO ${sqlText(path)} (${options})`,
    );
    await this.#connection.run("SET disabled_optimizers = ''");
    await this.#connection.run('DROP TABLE sampleValues');
    await this.#connection.run('DROP TABLE series');
  }
}

/** Adds rows of numbers to the table `sampleValues`, chunk by chunk. */
class ValueAppender {
  readonly #chunk: DuckDBDataChunk;
  readonly #appender: DuckDBAppender;
  readonly #series = new Int32Array(CHUNK_ROWS);
  readonly #atMonoNs = new BigInt64Array(CHUNK_ROWS);
  readonly #values = new Float64Array(CHUNK_ROWS);
  #rows = 0;

  private constructor(chunk: DuckDBDataChunk, appender: DuckDBAppender) {
    this.#chunk = chunk;
    this.#appender = appender;
  }

  static async to(connection: DuckDBConnection): Promise<ValueAppender> {
    const { BIGINT, DOUBLE, DuckDBDataChunk, INTEGER } = await import('@duckdb/node-api');
    const appender = await connection.createAppender('sampleValues');
    return new ValueAppender(DuckDBDataChunk.create([INTEGER, BIGINT, DOUBLE]), appender);
  }

  append(series: number, atMonoNs: BigInt64Array, values: Float64Array): void {
    for (let from = 0; from < values.length;) {
      const count = Math.min(CHUNK_ROWS - this.#rows, values.length - from);
      this.#series.fill(series, this.#rows, this.#rows + count);
      this.#atMonoNs.set(atMonoNs.subarray(from, from + count), this.#rows);
      this.#values.set(values.subarray(from, from + count), this.#rows);
      this.#rows += count;
      from += count;
      if (this.#rows === CHUNK_ROWS) this.#flush();
    }
  }

  close(): void {
    if (this.#rows > 0) this.#flush();
    this.#appender.closeSync();
  }

  #flush(): void {
    const rows = this.#rows;
    this.#chunk.reset();
    this.#chunk.rowCount = rows;
    const [series, instants, values] = [0, 1, 2].map((column) =>
      this.#chunk.getColumnVector(column),
    );
    for (let row = 0; row < rows; row += 1) {
      const value = this.#values[row];
      series?.setItem(row, this.#series[row] ?? 0);
      instants?.setItem(row, this.#atMonoNs[row] ?? 0n);
      values?.setItem(row, value === undefined || Number.isNaN(value) ? null : value);
    }
    for (const vector of [series, instants, values]) vector?.flush();
    this.#appender.appendDataChunk(this.#chunk);
    this.#rows = 0;
  }
}
