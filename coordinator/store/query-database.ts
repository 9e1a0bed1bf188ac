import { existsSync, rmSync } from 'node:fs';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { DuckDBConnection } from '@duckdb/node-api';
import { RunFolder } from '../recording/run-folder.ts';
import { LockstepError, errorCodeOf, errorMessageOf } from '../../schemas/errors.ts';
import { isEnded } from '../../schemas/run.ts';
import type { Run } from '../../schemas/run.ts';
import { columnDefinitions, columnNames, sqlText } from './column.ts';
import type { Column } from './column.ts';
import { openDatabase } from './duckdb.ts';
import { INSTANCE_COLUMNS } from './instance-columns.ts';
import { readManifest, SAMPLES_TABLE } from './manifest.ts';
import { MEASUREMENT_COLUMNS, makeMeasurementView } from './measurement-view.ts';
import { RESULT_COLUMNS } from './result-columns.ts';
import { DEVICE_COLUMNS, RUN_COLUMNS, makeRunTables } from './run-tables.ts';
import { SAMPLE_COLUMNS } from './sample-columns.ts';
import { writeParquet } from './write-parquet.ts';

/** The tables that a query can name, with their columns in order. */
export const QUERY_TABLES: Readonly<Record<string, readonly Column[]>> = {
  runs: RUN_COLUMNS,
  devices: DEVICE_COLUMNS,
  results: RESULT_COLUMNS,
  instances: INSTANCE_COLUMNS,
  measurements: MEASUREMENT_COLUMNS,
  samples: [{ name: 'run', type: 'VARCHAR' }, ...SAMPLE_COLUMNS],
};

/** How to open the runs for queries. */
export interface QueryDatabaseOptions {
  readonly dataFolder: string;
  /** A file that may be written, besides. */
  readonly mayWrite?: string;
  /** Takes what a person must know: which runs are converted, and which are left out. */
  readonly tell: (message: string) => void;
  readonly signal?: AbortSignal;
}

/** A connection on which all runs can be asked for, and nothing else. */
export interface QueryDatabase {
  readonly connection: DuckDBConnection;
  close(): Promise<void>;
}

/** Memory that a query may take, MB; what does not fit goes to the disk. */
const MEMORY_MB = 1024;

interface Opened {
  readonly run: Run;
  /** Folder of its Parquet files. */
  readonly tables: string;
}

/**
 * Opens all runs of a data folder as tables. The folders are the truth: a run whose Parquet files
 * are absent or stale gets new ones first; if it still goes on, or its folder can't be written, in
 * a folder that is removed again. What can't be read is told and left out. Then the database is
 * locked: it reads these files and nothing else, and no setting can be changed.
 */
export async function openQueryDatabase(options: QueryDatabaseOptions): Promise<QueryDatabase> {
  const temporary = await mkdtemp(join(tmpdir(), 'lockstep-query-'));
  // A reader that has seen enough ends the process in the middle of an answer.
  const onExit = (): void => {
    rmSync(temporary, { recursive: true, force: true });
  };
  process.once('exit', onExit);
  try {
    const opened = await openRuns(options, temporary);
    const spill = join(temporary, 'spill');
    await mkdir(spill);
    const database = await openDatabase({ memoryMb: MEMORY_MB, temporaryFolder: spill });
    try {
      const connection = await database.connect();
      await makeRunTables(
        connection,
        opened.map(({ run }) => run),
      );
      const read = await makeViews(connection, opened, options);
      await lock(connection, options.mayWrite === undefined ? read : [...read, options.mayWrite]);
      return {
        connection,
        close: async () => {
          database.close();
          await rm(temporary, { recursive: true, force: true });
          process.off('exit', onExit);
        },
      };
    } catch (error) {
      database.close();
      throw error;
    }
  } catch (error) {
    await rm(temporary, { recursive: true, force: true });
    process.off('exit', onExit);
    throw error;
  }
}

async function openRuns(
  { dataFolder, tell, signal }: QueryDatabaseOptions,
  temporary: string,
): Promise<Opened[]> {
  const opened: Opened[] = [];
  for (const runId of await RunFolder.list(dataFolder)) {
    signal?.throwIfAborted();
    const folder = RunFolder.of(dataFolder, runId);
    try {
      const run = await folder.readRun();
      const tables = await tablesOf(folder.folder, run, { temporary, tell, signal });
      opened.push({ run, tables });
    } catch (error) {
      signal?.throwIfAborted();
      tell(`left out: ${runId}: ${errorMessageOf(error)}`);
    }
  }
  return opened;
}

interface Conversion {
  readonly temporary: string;
  readonly tell: (message: string) => void;
  readonly signal: AbortSignal | undefined;
}

/** The folder of a run's Parquet files, which are written if need be. */
async function tablesOf(
  folder: string,
  run: Run,
  { temporary, tell, signal }: Conversion,
): Promise<string> {
  try {
    await readManifest(folder);
    return folder;
  } catch (error) {
    const isRemedied = ['NOT_FOUND', 'PARQUET_STALE', 'PARQUET_DAMAGED'];
    if (!isRemedied.includes(errorCodeOf(error))) throw error;
  }
  const write = signal === undefined ? {} : { signal };
  if (isEnded(run.state)) {
    tell(`writing the Parquet files of ${run.runId}`);
    try {
      await writeParquet(folder, write);
      return folder;
    } catch (error) {
      if (errorCodeOf(error) !== 'STORAGE_FAILED') throw error;
    }
  }
  const into = join(temporary, run.runId);
  await mkdir(into);
  tell(`reading the results of ${run.runId} as they are now`);
  await writeParquet(folder, { ...write, into });
  return into;
}

/** @returns the files that the views read */
async function makeViews(
  connection: DuckDBConnection,
  opened: readonly Opened[],
  { dataFolder, tell }: QueryDatabaseOptions,
): Promise<string[]> {
  const results = opened.map(({ tables }) => join(tables, 'results.parquet'));
  const instances = opened.map(({ tables }) => join(tables, 'instances.parquet'));
  await makeView(connection, 'results', results);
  await makeView(connection, 'instances', instances);
  await makeMeasurementView(connection);
  const read = [...results, ...instances];
  const samples: string[] = [];
  for (const { run, tables } of opened) {
    const own = RunFolder.of(dataFolder, run.runId).path(SAMPLES_TABLE);
    const path = [join(tables, SAMPLES_TABLE), own].find((one) => existsSync(one));
    if (path === undefined) continue;
    const select =
      `SELECT ${sqlText(run.runId)} AS run, ${columnNames(SAMPLE_COLUMNS)} ` +
      `FROM read_parquet(${sqlText(path)})`;
    try {
      await connection.run(`${select} LIMIT 0`);
      samples.push(select);
      read.push(path);
    } catch (error) {
      tell(`left out: samples of ${run.runId}: ${errorMessageOf(error)}`);
    }
  }
  if (samples.length === 0) await makeView(connection, 'samples', []);
  else await connection.run(`CREATE VIEW samples AS ${samples.join(' UNION ALL ')}`);
  return read;
}

async function makeView(
  connection: DuckDBConnection,
  table: string,
  paths: readonly string[],
): Promise<void> {
  const columns = QUERY_TABLES[table] ?? [];
  if (paths.length === 0) {
    await connection.run(`CREATE TABLE ${table} (${columnDefinitions(columns)})`);
    return;
  }
  const list = paths.map(sqlText).join(', ');
  await connection.run(
    `CREATE VIEW ${table} AS SELECT ${columnNames(columns)} FROM read_parquet([${list}])`,
  );
}

/**
 * From here on only these files are opened. Whole folders would let a statement that is refused all
 * the same make folders in them while it is prepared.
 */
async function lock(connection: DuckDBConnection, paths: readonly string[]): Promise<void> {
  await connection.run(`SET allowed_paths = [${paths.map(sqlText).join(', ')}]`);
  await connection.run('SET enable_external_access = false');
  await connection.run('SET lock_configuration = true');
}

/** What `lockstep query --tables` prints: each table with its columns and their types. */
export function tablesText(): string {
  return Object.entries(QUERY_TABLES)
    .map(([table, columns]) =>
      [table, ...columns.map(({ name, type }) => `  ${name.padEnd(26)}${type}`)].join('\n'),
    )
    .join('\n\n');
}

/** The hint for a wrong query. */
export function queryHint(): string {
  const tables = Object.entries(QUERY_TABLES).map(
    ([table, columns]) => `${table}(${columns.map(({ name }) => name).join(', ')})`,
  );
  return `Tables: ${tables.join('; ')}. See: lockstep query --tables`;
}

/** An error of the database about a query. */
export function queryError(cause: unknown): LockstepError {
  if (cause instanceof LockstepError) return cause;
  const message = cause instanceof Error ? cause.message.trim() : String(cause);
  if (/^(IO|Out of Memory|Internal|Fatal) /i.test(message)) {
    return new LockstepError('STORAGE_FAILED', message, { cause });
  }
  return new LockstepError('QUERY_INVALID', message, { cause, hint: queryHint() });
}
