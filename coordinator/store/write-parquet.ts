import { open, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { DuckDBConnection } from '@duckdb/node-api';
import { RunFolder, storageError } from '../recording/run-folder.ts';
import { VERSION } from '../../schemas/version.ts';
import { STORE_SCHEMA_VERSION, columnNames, sqlText } from './column.ts';
import { databaseError, interruptible, openDatabase } from './duckdb.ts';
import { NOTHING, digestFile } from '../recording/file-digest.ts';
import type { FileDigest } from '../recording/file-digest.ts';
import { INSTANCE_VALUES, REPEATED_COLUMNS } from './instance-columns.ts';
import { MANIFEST_FILE, SAMPLES_TABLE, TABLE_FILES, writeManifest } from './manifest.ts';
import { SAMPLES_FILE } from '../recording/sample-lines.ts';
import { syncFolder } from '../../bus/sync-folder.ts';
import type { Manifest } from './manifest.ts';
import { RESULT_VALUES } from './result-columns.ts';
import type { ResultSource } from './result-source.ts';
import { stageResults } from './staging.ts';
import { makeTemporaryFolder } from './temporary-folder.ts';
import { writeSamples } from './write-samples.ts';

/** How to write the Parquet files of a run. */
export interface WriteOptions {
  /** Where to. Default: the run's folder. */
  readonly into?: string;
  readonly signal?: AbortSignal;
}

/** Memory of the database while it writes, MB; the program itself takes as much again. */
const MEMORY_MB = 256;

/** Rows that a reader takes at once: some 20 MB. */
const ROW_GROUP_ROWS = 61_440;

/** Rows that are sorted at once: some 100 MB. */
const BATCH_ROWS = 100_000;

/** The order of the files: that of the plan, so that a reader can go trial by trial. */
const ORDER = 'placeInPlan NULLS LAST, trial, attempt, device';

/**
 * Writes `results.parquet` and `instances.parquet` from a run's results.ndjson, `samples.parquet`
 * from its samples.ndjson if it has one, and `parquet.json`, which says what they were made of. The
 * sources stay as they are. Each key has one row, chosen as the analysis chooses. The files appear
 * as a whole: without a `parquet.json` that fits they count for nothing.
 *
 * @param folder the run's folder
 * @throws LockstepError NOT_FOUND without a run; RUN_DAMAGED if anything of it but samples is;
 *   STORAGE_FULL or STORAGE_FAILED if the disk refuses; the reason of the signal if that aborts.
 */
export async function writeParquet(folder: string, options: WriteOptions = {}): Promise<Manifest> {
  const { signal } = options;
  const into = options.into ?? folder;
  const runFolder = new RunFolder(folder);
  const run = await runFolder.readRun();
  const plan = await runFolder.readPlan(run);
  let temporary: string;
  try {
    temporary = await makeTemporaryFolder(into);
  } catch (error) {
    throw storageError(error, `cannot write into ${into}`);
  }
  const database = await openDatabase({
    memoryMb: MEMORY_MB,
    threads: 1,
    temporaryFolder: join(temporary, 'spill'),
  });
  try {
    const connection = await database.connect();
    // Before the results are read: if they grow meanwhile, the files are stale, and not wrong.
    const digests = await sourceDigests(folder);
    const samplesSource = await digestFile(join(folder, SAMPLES_FILE));
    const source = { folder: runFolder, run, plan, ...(signal === undefined ? {} : { signal }) };
    const { samples, ...written } = await interruptible(connection, signal, async () => ({
      ...(await writeTables(connection, source, { temporary, digest: digests.source })),
      samples: await writeSamples(database, source, {
        temporary,
        path: join(temporary, SAMPLES_TABLE),
        options: fileOptions(run.runId, SAMPLES_FILE, samplesSource ?? NOTHING),
      }),
    }));
    const manifest: Manifest = {
      schemaVersion: STORE_SCHEMA_VERSION,
      lockstepVersion: VERSION,
      runId: run.runId,
      ...digests,
      ...written,
      ...(samples === undefined || samplesSource === undefined
        ? {}
        : {
            samples: {
              ...samples,
              source: samplesSource,
              file: await finish(join(temporary, SAMPLES_TABLE)),
            },
          }),
      files: {
        'results.parquet': await finish(join(temporary, 'results.parquet')),
        'instances.parquet': await finish(join(temporary, 'instances.parquet')),
      },
    };
    signal?.throwIfAborted();
    await publish(temporary, into, manifest);
    return manifest;
  } catch (error) {
    signal?.throwIfAborted();
    throw databaseError(error, `cannot write the Parquet files of ${folder}`);
  } finally {
    database.close();
    await rm(temporary, { recursive: true, force: true });
  }
}

async function writeTables(
  connection: DuckDBConnection,
  source: ResultSource,
  { temporary, digest }: { temporary: string; digest: FileDigest },
): Promise<Pick<Manifest, 'counts' | 'instances'>> {
  const counts = await stageResults(connection, source);
  const batches = await orderResults(connection);
  const options = fileOptions(source.run.runId, 'results.ndjson', digest);
  const copy = async (select: string, order: string, name: string): Promise<number> => {
    source.signal?.throwIfAborted();
    await sortBatches(connection, select, order, batches);
    const to = sqlText(join(temporary, name));
    const { rowsChanged } = await connection.run(`COPY sorted TO ${to} (${options})`);
    await connection.run('DROP TABLE sorted');
    return rowsChanged;
  };
  await copy(
    `SELECT o.resultIndex, ${columnNames(RESULT_VALUES, 'r')}
     FROM ordered o JOIN results r USING (line)`,
    'resultIndex',
    'results.parquet',
  );
  const instances = await copy(
    `SELECT o.resultIndex, i.place, ${columnNames([...REPEATED_COLUMNS, ...INSTANCE_VALUES], 'i')}
     FROM ordered o JOIN instances i USING (line)`,
    'resultIndex, place',
    'instances.parquet',
  );
  return { counts, instances };
}

/**
 * Numbers the results that stay in the order of the files, in batches of few enough rows.
 *
 * @returns the number of batches
 */
async function orderResults(connection: DuckDBConnection): Promise<number> {
  await connection.run(
    `CREATE TABLE ordered AS
     SELECT line, row_number() OVER (ORDER BY ${ORDER}) - 1 AS resultIndex,
       sum(1 + instanceRows) OVER (ORDER BY ${ORDER}) // ${BATCH_ROWS} AS batch
     FROM results WHERE line NOT IN (SELECT line FROM dropped)`,
  );
  const read = await connection.runAndReadAll('SELECT 1 + coalesce(max(batch), 0) FROM ordered');
  return Number(read.getRows()[0]?.[0]);
}

/** Fills the table `sorted` batch by batch: wide rows sorted all at once would not fit. */
async function sortBatches(
  connection: DuckDBConnection,
  select: string,
  order: string,
  batches: number,
): Promise<void> {
  await connection.run(`CREATE TABLE sorted AS ${select} WHERE false`);
  for (let batch = 0; batch < batches; batch += 1) {
    await connection.run(`INSERT INTO sorted ${select} WHERE o.batch = ${batch} ORDER BY ${order}`);
  }
}

/** Options of the files. Each says for itself what it was made of. */
function fileOptions(runId: string, sourceFile: string, source: FileDigest): string {
  const entries = {
    lockstepSchemaVersion: String(STORE_SCHEMA_VERSION),
    lockstepVersion: VERSION,
    runId,
    sourceFile,
    sourceBytes: String(source.bytes),
    sourceSha256: source.sha256,
  };
  const pairs = Object.entries(entries).map(([key, value]) => `${key}: ${sqlText(value)}`);
  return (
    `FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE ${ROW_GROUP_ROWS}, ` +
    `KV_METADATA {${pairs.join(', ')}}`
  );
}

async function sourceDigests(folder: string): Promise<Pick<Manifest, 'source' | 'plan'>> {
  const plan = await digestFile(join(folder, 'plan.json'));
  return {
    source: (await digestFile(join(folder, 'results.ndjson'))) ?? NOTHING,
    ...(plan === undefined ? {} : { plan }),
  };
}

async function finish(path: string): Promise<FileDigest> {
  const file = await open(path, 'r');
  try {
    await file.sync();
  } finally {
    await file.close();
  }
  const digest = await digestFile(path);
  if (digest === undefined) throw new Error(`${path} was not written`);
  return digest;
}

/** The manifest goes first and comes last. */
async function publish(temporary: string, into: string, manifest: Manifest): Promise<void> {
  await rm(join(into, MANIFEST_FILE), { force: true });
  const samples = manifest.samples === undefined ? [] : [SAMPLES_TABLE];
  for (const name of [...TABLE_FILES, ...samples]) {
    await rename(join(temporary, name), join(into, name));
  }
  await syncFolder(into);
  await writeManifest(into, manifest);
}
