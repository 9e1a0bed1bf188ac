import { join } from 'node:path';
import type { DuckDBConnection, DuckDBDataChunk, DuckDBResult } from '@duckdb/node-api';
import { LockstepError, errorMessageOf } from '../../schemas/errors.ts';
import type { Instance, TrialResult } from '../../schemas/result.ts';
import { sqlText } from './column.ts';
import type { Column } from './column.ts';
import { decodeChunk } from './column-arrays.ts';
import type { ColumnPlan, Values } from './column-arrays.ts';
import { planColumns } from './column-plan.ts';
import type { WantedColumn } from './column-plan.ts';
import { openDatabase } from './duckdb.ts';
import { INSTANCE_COLUMNS, REPEATED_COLUMNS } from './instance-columns.ts';
import { readManifest } from './manifest.ts';
import type { Manifest } from './manifest.ts';
import { rebuildInstance } from './rebuild-instance.ts';
import type { InstanceArrays } from './rebuild-instance.ts';
import { COMPUTED_COLUMNS, rebuildResult } from './rebuild-result.ts';
import type { ResultArrays } from './rebuild-result.ts';
import { RESULT_COLUMNS } from './result-columns.ts';

/** Memory of the database while it reads, MB. */
const MEMORY_MB = 256;

/** What is needed for figures only, and for all else follows from other columns. */
const FOR_FIGURES = ['telemetryGaps'];

const RESULT_NEEDS = RESULT_COLUMNS.filter(({ name }) => !COMPUTED_COLUMNS.includes(name));
const REPEATED = REPEATED_COLUMNS.map(({ name }) => name);
const INSTANCE_NEEDS = INSTANCE_COLUMNS.filter(({ name }) => !REPEATED.includes(name));

/** What no figure is made of. */
const BESIDE_FIGURES = [
  ...['address', 'httpStatus', 'responseBytes', 'hasUsage', 'memoryBytes', 'memoryPeakBytes'],
  ...['cpuNs', 'usageUnavailable', 'targetAtMonoNs', 'startedAtUtcNs', 'clockBurstNs'],
  ...['clockProbes', 'telemetryCpus', 'telemetrySources'],
];

/** How results are read. */
export interface ReadOptions {
  /** What {@link readManifest} gave, if that was just asked; else it is asked first. */
  readonly known?: Manifest;
  /** True if only figures are made of them: what these need not is then absent, or 0. */
  readonly forFigures?: boolean;
}

/**
 * The distinct results of a run from its Parquet files: all of one trial at a time, in the order of
 * the plan, and each trial's by attempt and device. They are what results.ndjson holds, to the last
 * field. Memory does not grow with the run.
 *
 * @param folder the run's folder
 * @throws LockstepError NOT_FOUND without Parquet files; PARQUET_STALE if results.ndjson is not the
 *   one that they were made of; PARQUET_DAMAGED if they are damaged. All of it is found before the
 *   first trial, as long as `known` is not out of date.
 */
export async function* readParquetTrials(
  folder: string,
  { known, forFigures = false }: ReadOptions = {},
): AsyncGenerator<TrialResult[]> {
  const omitted = forFigures ? BESIDE_FIGURES : FOR_FIGURES;
  const manifest = known ?? (await readManifest(folder));
  const database = await openDatabase({ memoryMb: MEMORY_MB });
  const streams: TableStream[] = [];
  try {
    const table = async (name: 'results' | 'instances', columns: readonly Column[]) => {
      const needs = columns.map((column) =>
        omitted.includes(column.name) ? { ...column, isOmitted: true } : column,
      );
      const stream = new TableStream(await database.connect(), folder, name, needs);
      streams.push(stream);
      return stream;
    };
    const results = await table('results', RESULT_NEEDS);
    const instances = new InstanceStream(await table('instances', INSTANCE_NEEDS));
    let count = 0;
    let trial: TrialResult[] = [];
    for (let chunk = await results.next(); chunk !== undefined; chunk = await results.next()) {
      const arrays = chunk.arrays as unknown as ResultArrays;
      for (let row = 0; row < chunk.rows; row += 1) {
        assertOrder(arrays.resultIndex[row], count, folder);
        const wanted = arrays.instanceRows[row] ?? 0;
        const own = instances.takeNow(count, wanted) ?? (await instances.take(count, wanted));
        const result = rebuildResult(arrays, row, own);
        count += 1;
        if (trial.length > 0 && trial[0]?.trialId !== result.trialId) {
          yield trial;
          trial = [];
        }
        trial.push(result);
      }
    }
    if (trial.length > 0) yield trial;
    if (count !== manifest.counts.distinct || !(await instances.isAtEnd())) {
      throw damaged(folder, `it has ${count} results, not ${manifest.counts.distinct}`);
    }
  } catch (error) {
    if (error instanceof LockstepError) throw error;
    throw damaged(folder, errorMessageOf(error));
  } finally {
    for (const stream of streams) await stream.settle();
    database.close();
  }
}

interface Chunk {
  readonly rows: number;
  readonly arrays: Readonly<Record<string, Values<unknown>>>;
}

/** A table that is read from its begin to its end, some rows at a time. */
class TableStream {
  readonly folder: string;
  readonly #connection: DuckDBConnection;
  readonly #path: string;
  readonly #columns: readonly WantedColumn[];
  #opened: { readonly plans: ColumnPlan[]; readonly result: DuckDBResult } | undefined;
  #pending: Promise<DuckDBDataChunk | null> | undefined;

  constructor(
    connection: DuckDBConnection,
    folder: string,
    table: 'results' | 'instances',
    columns: readonly WantedColumn[],
  ) {
    this.folder = folder;
    this.#connection = connection;
    this.#path = join(folder, `${table}.parquet`);
    this.#columns = columns;
  }

  /** The next rows. Undefined at the end. */
  async next(): Promise<Chunk | undefined> {
    this.#opened ??= await this.#open();
    const { plans, result } = this.#opened;
    const chunk = await (this.#pending ?? result.fetchChunk());
    this.#pending = undefined;
    if (chunk === null || chunk.rowCount === 0) return undefined;
    // The database reads on while these rows are worked on.
    this.#pending = result.fetchChunk();
    this.#pending.catch(() => undefined);
    return { rows: chunk.rowCount, arrays: decodeChunk(chunk, plans) };
  }

  /** Waits until nothing is being read, so that the database can be closed. */
  async settle(): Promise<void> {
    await this.#pending?.catch(() => undefined);
  }

  async #open(): Promise<{ plans: ColumnPlan[]; result: DuckDBResult }> {
    const plans = await planColumns(this.#connection, this.#path, this.#columns);
    const expressions = plans.flatMap(({ expression }) => expression ?? []);
    // A table without rows has no column with values; one is needed to ask at all.
    const selected = expressions.length === 0 ? 'NULL' : expressions.join(', ');
    const from = `read_parquet(${sqlText(this.#path)})`;
    return { plans, result: await this.#connection.stream(`SELECT ${selected} FROM ${from}`) };
  }
}

/** Goes through the instances beside the results: both files have the same order. */
class InstanceStream {
  readonly #table: TableStream;
  #arrays: InstanceArrays | undefined;
  #rows = 0;
  #row = 0;

  constructor(table: TableStream) {
    this.#table = table;
  }

  /** The next instances, which must be the result's; undefined if they must be waited for. */
  takeNow(resultIndex: number, count: number): Instance[] | undefined {
    if (this.#arrays === undefined || this.#rows - this.#row < count) {
      return count === 0 ? [] : undefined;
    }
    const instances: Instance[] = [];
    for (let place = 0; place < count; place += 1) {
      instances.push(this.#one(this.#arrays, resultIndex, place));
    }
    return instances;
  }

  /** The next instances, from as many chunks as they are in. */
  async take(resultIndex: number, count: number): Promise<Instance[]> {
    const instances: Instance[] = [];
    while (instances.length < count) {
      if (this.#arrays === undefined || this.#row === this.#rows) await this.#fetch();
      if (this.#arrays === undefined) {
        throw damaged(this.#table.folder, `instances of result ${resultIndex} are missing`);
      }
      instances.push(this.#one(this.#arrays, resultIndex, instances.length));
    }
    return instances;
  }

  /** True if no instance is left over. */
  async isAtEnd(): Promise<boolean> {
    if (this.#row < this.#rows) return false;
    await this.#fetch();
    return this.#arrays === undefined;
  }

  #one(arrays: InstanceArrays, resultIndex: number, place: number): Instance {
    assertOrder(arrays.resultIndex[this.#row], resultIndex, this.#table.folder);
    if (arrays.place[this.#row] !== place) {
      throw damaged(this.#table.folder, `the instances of result ${resultIndex} are in disorder`);
    }
    const instance = rebuildInstance(arrays, this.#row);
    this.#row += 1;
    return instance;
  }

  async #fetch(): Promise<void> {
    const chunk = await this.#table.next();
    this.#arrays = chunk?.arrays as unknown as InstanceArrays | undefined;
    this.#rows = chunk?.rows ?? 0;
    this.#row = 0;
  }
}

function assertOrder(found: bigint | undefined, expected: number, folder: string): void {
  if (found !== undefined && Number(found) === expected) return;
  throw damaged(folder, `row ${expected} is not where it must be`);
}

function damaged(folder: string, what: string): LockstepError {
  return new LockstepError('PARQUET_DAMAGED', `the Parquet files of ${folder}: ${what}`, {
    hint: 'Write them again with: lockstep results RUN --parquet',
  });
}
