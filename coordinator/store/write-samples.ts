import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { FileHandle } from 'node:fs/promises';
import type { DuckDBConnection } from '@duckdb/node-api';
import { DataDamage } from '../recording/data-damage.ts';
import { openRegular } from '../recording/regular-file.ts';
import { decodeBlock, SAMPLES_FILE } from '../recording/sample-lines.ts';
import { columnDefinitions, sqlText } from './column.ts';
import { interruptible } from './duckdb.ts';
import type { Database } from './duckdb.ts';
import type { SampleCounts } from './manifest.ts';
import type { ResultSource } from './result-source.ts';
import { SampleBatch } from './sample-batch.ts';
import { SAMPLE_COLUMNS } from './sample-columns.ts';
import { SeriesGatherer } from './sample-series.ts';
import type { OrderedSeries } from './sample-series.ts';
import { damageTexts, partsInOrder, stageBlocks } from './stage-blocks.ts';
import type { BlockPlace, BlocksOfPart } from './stage-blocks.ts';
import { ThrottleWatch } from './throttle-watch.ts';

/** Where samples are written, and how. */
export interface SampleTarget {
  /** Folder for what is written on the way. */
  readonly temporary: string;
  /** The file. */
  readonly path: string;
  /** Options of COPY. */
  readonly options: string;
  /** Rows that are in memory at once, beyond those of one series. Default: 2 million. */
  readonly rowsMax?: number;
}

/** What a part of a large file is written with: it is read once and then removed. */
const PART_OPTIONS = 'FORMAT parquet, COMPRESSION snappy';

/**
 * Writes `samples.parquet` from a run's samples.ndjson, each block once. The samples of one
 * device's part in a trial are in memory at a time, and no more, however many there are. Damage is
 * counted and left out.
 *
 * @param database in which the tables `results` and `dropped` are filled
 * @returns what was read; undefined if the run has no samples.ndjson
 */
export async function writeSamples(
  database: Pick<Database, 'connect'>,
  source: ResultSource,
  target: SampleTarget,
): Promise<SampleCounts | undefined> {
  const file = await openRegular(source.folder.path(SAMPLES_FILE));
  if (file === undefined) return undefined;
  const connection = await database.connect();
  const reading = await database.connect();
  try {
    return await interruptible(connection, source.signal, () =>
      copySamples({ connection, reading, file }, source, target),
    );
  } finally {
    await file.close();
  }
}

interface Opened {
  readonly connection: DuckDBConnection;
  /** Another one, on which the places of blocks are read meanwhile. */
  readonly reading: DuckDBConnection;
  readonly file: FileHandle;
}

async function copySamples(
  { connection, reading, file }: Opened,
  source: ResultSource,
  target: SampleTarget,
): Promise<SampleCounts> {
  const damage = new DataDamage();
  const staged = await stageBlocks(connection, source, damage);
  const throttle = new ThrottleWatch();
  const writing = new PartedFile(connection, target);
  let blocks = 0;
  for await (const part of partsInOrder(reading)) {
    source.signal?.throwIfAborted();
    const gatherer = new SeriesGatherer();
    for (const place of part.blocks) {
      const isGood = await gather(file, place, { gatherer, damage });
      if (isGood) blocks += 1;
    }
    for (const series of gatherer.ordered()) {
      throttle.note(part.deviceId, series);
      await writing.add(part, series);
    }
  }
  const rows = await writing.end();
  if (blocks + damage.linesLeftOut !== staged.read - staged.duplicates + staged.damaged) {
    throw new Error(`${blocks} blocks were written of ${staged.read - staged.duplicates}`);
  }
  return {
    blocks,
    duplicates: staged.duplicates,
    rows,
    damaged: damage.linesLeftOut,
    damage: damageTexts(damage),
    missing: await countMissing(connection),
    throttled: throttle.seen,
  };
}

async function gather(
  file: FileHandle,
  { line, fromByte, bytes }: BlockPlace,
  { gatherer, damage }: { gatherer: SeriesGatherer; damage: DataDamage },
): Promise<boolean> {
  const text = Buffer.allocUnsafe(bytes);
  const { bytesRead } = await file.read(text, 0, bytes, fromByte);
  const isWhole = bytesRead === bytes;
  const decoded = decodeBlock({ number: line, fromByte, bytes: text, isWhole });
  if ('value' in decoded) gatherer.add(decoded.value);
  else damage.leaveOut(SAMPLES_FILE, line, decoded.damage);
  return 'value' in decoded;
}

/** Results that announce more blocks than there are. */
async function countMissing(connection: DuckDBConnection): Promise<SampleCounts['missing']> {
  const read = await connection.runAndReadAll(
    `WITH there AS (
       SELECT trial, attempt, device, count(*) AS n FROM blocks GROUP BY ALL
     ), owing AS (
       SELECT telemetryBlocks - coalesce(n, 0) AS missing
       FROM results LEFT JOIN there USING (trial, attempt, device)
       WHERE line NOT IN (SELECT line FROM dropped) AND telemetryBlocks > coalesce(n, 0)
     )
     SELECT count(*), coalesce(sum(missing), 0) FROM owing`,
  );
  const [trials, blocks] = read.getRows()[0] ?? [];
  return { trials: Number(trials), blocks: Number(blocks) };
}

/** A Parquet file that is written in parts, so that memory is bounded, and put together then. */
class PartedFile {
  readonly #connection: DuckDBConnection;
  readonly #target: SampleTarget;
  readonly #parts: string[] = [];
  #batch: SampleBatch | undefined;
  #rows = 0;

  constructor(connection: DuckDBConnection, target: SampleTarget) {
    this.#connection = connection;
    this.#target = target;
  }

  async add(part: BlocksOfPart, series: OrderedSeries): Promise<void> {
    if (this.#batch?.isFull(this.#target.rowsMax) === true) await this.#writePart(this.#batch);
    this.#batch ??= await SampleBatch.begin(this.#connection);
    this.#batch.add(part, series);
    this.#rows += series.values.length;
  }

  /** Resolves with the number of rows, when the file is there. */
  async end(): Promise<number> {
    const { path, options } = this.#target;
    if (this.#batch !== undefined && this.#parts.length === 0) {
      await this.#batch.write(path, options);
      return this.#rows;
    }
    if (this.#batch !== undefined) await this.#writePart(this.#batch);
    if (this.#parts.length === 0) await this.#writeEmpty();
    else {
      const list = this.#parts.map(sqlText).join(', ');
      await this.#connection.run(
        `COPY (FROM read_parquet([${list}])) TO ${sqlText(path)} (${options})`,
      );
    }
    for (const part of this.#parts) await rm(part);
    return this.#rows;
  }

  async #writePart(batch: SampleBatch): Promise<void> {
    const path = join(this.#target.temporary, `samples-${this.#parts.length}.parquet`);
    await batch.write(path, PART_OPTIONS);
    this.#parts.push(path);
    this.#batch = undefined;
  }

  async #writeEmpty(): Promise<void> {
    const { path, options } = this.#target;
    await this.#connection.run(`CREATE TABLE noSamples (${columnDefinitions(SAMPLE_COLUMNS)})`);
    await this.#connection.run(`COPY noSamples TO ${sqlText(path)} (${options})`);
    await this.#connection.run('DROP TABLE noSamples');
  }
}
