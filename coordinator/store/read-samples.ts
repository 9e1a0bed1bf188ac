import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { DuckDBConnection, DuckDBValue } from '@duckdb/node-api';
import { LockstepError } from '../../schemas/errors.ts';
import { sqlText } from './column.ts';
import { databaseError, openDatabase } from './duckdb.ts';
import { SERIES_COLUMNS } from './sample-columns.ts';

/** A device's part in an attempt at a trial. */
export interface TrialOfDevice {
  readonly trialId: string;
  readonly attempt: number;
  readonly deviceId: string;
}

/** The readings of one series during a trial, by time. */
export interface SampleSeries extends TrialOfDevice {
  /** Undefined if it is about the whole device. */
  readonly instance: number | undefined;
  /** The collector that read it. */
  readonly source: string;
  readonly metric: string;
  /** What tells it from others of its metric, as `attributesText` writes it. Undefined if none. */
  readonly attributes: string | undefined;
  readonly unit: string;
  /** On CLOCK_MONOTONIC of the device. NaN where there was no value. */
  readonly points: readonly { readonly atMonoNs: bigint; readonly value: number }[];
}

/** What there is of one metric with its attributes in a run. */
export interface SampleSummary {
  readonly source: string;
  readonly metric: string;
  /** Undefined if it has none. */
  readonly attributes: string | undefined;
  readonly unit: string;
  /** Samples of all trials and devices. */
  readonly n: number;
  /** Samples of a series per second, on average. Undefined if it can't be told. */
  readonly rateHz: number | undefined;
}

/** Longest series that is given as it is; of a longer one the extremes are. */
const POINTS_MAX = 2000;

/** Trials that are asked for at once. */
const TRIALS_MAX = 1000;

/** Rows by which the rate is told. */
const RATE_ROWS = 1_000_000;

const MEMORY_MB = 384;

/**
 * The samples of some trials. Of a series of more than 2000 points, the lowest and the highest of
 * each of 1000 equal parts of its time remain, so that no peak is lost, and one gap of each that
 * has some. Parts of the file that hold
 * none of the trials are not read.
 *
 * @param folder the run's folder; without samples.parquet there are no series
 * @throws LockstepError PARQUET_DAMAGED if the file can't be read.
 */
export async function readTrialSamples(
  folder: string,
  wanted: readonly TrialOfDevice[],
): Promise<SampleSeries[]> {
  if (wanted.length > TRIALS_MAX) throw new RangeError(`more than ${TRIALS_MAX} trials`);
  if (wanted.length === 0) return [];
  return withSamples(folder, async (connection, from) => {
    const trials = wanted.map(({ trialId }) => sqlText(trialId)).join(', ');
    const keys = wanted.map(
      ({ trialId, attempt, deviceId }) =>
        `(${sqlText(trialId)}, ${BigInt(attempt)}::BIGINT, ${sqlText(deviceId)})`,
    );
    const result = await connection.stream(decimated(from, trials, keys.join(', ')));
    const series: SampleSeries[] = [];
    let points: { atMonoNs: bigint; value: number }[] = [];
    let last = '';
    for await (const rows of result.yieldRows()) {
      for (const row of rows) {
        const [trial, attempt, device, instance, source, metric, attributes, unit] = row;
        const [at, value] = row.slice(SERIES_COLUMNS.length);
        const key = JSON.stringify(row.slice(0, SERIES_COLUMNS.length).map(text));
        if (key !== last) {
          last = key;
          points = [];
          series.push({
            trialId: String(trial),
            attempt: Number(attempt),
            deviceId: String(device),
            instance: instance === null ? undefined : Number(instance),
            source: String(source),
            metric: String(metric),
            attributes: text(attributes) ?? undefined,
            unit: String(unit),
            points,
          });
        }
        points.push({ atMonoNs: at as bigint, value: (value ?? NaN) as number });
      }
    }
    return series;
  });
}

/**
 * What the samples of a run are, per metric and attributes. All are counted; the rate is that of
 * the first million rows, since to tell the series of a whole run apart takes minutes.
 *
 * @throws LockstepError PARQUET_DAMAGED if the file can't be read.
 */
export async function summariseSamples(folder: string): Promise<SampleSummary[]> {
  const kind = 'source, metric, attributes, unit';
  return withSamples(folder, async (connection, from) => {
    const read = await connection.runAndReadAll(
      `WITH counted AS (
         SELECT ${kind}, count(value)::DOUBLE AS n FROM ${from} GROUP BY ALL
       ), series AS (
         SELECT ${kind}, count(*) AS n, max(atMonoNs) - min(atMonoNs) AS spanNs
         FROM (FROM ${from} LIMIT ${RATE_ROWS})
         GROUP BY ${SERIES_COLUMNS.join(', ')}
       ), rated AS (
         SELECT ${kind}, sum(n - 1)::DOUBLE * 1e9 / nullif(sum(spanNs), 0)::DOUBLE AS rateHz
         FROM series GROUP BY ALL
       )
       SELECT counted.*, rateHz
       FROM counted LEFT JOIN rated
         ON counted.source = rated.source AND counted.metric = rated.metric
         AND counted.unit = rated.unit AND counted.attributes IS NOT DISTINCT FROM rated.attributes
       ORDER BY ALL`,
    );
    return read.getRows().map(([source, metric, attributes, unit, n, rateHz]) => ({
      source: String(source),
      metric: String(metric),
      attributes: text(attributes) ?? undefined,
      unit: String(unit),
      n: Number(n),
      rateHz: typeof rateHz === 'number' ? rateHz : undefined,
    }));
  });
}

/** What can't be in JSON as it is. */
function text(value: DuckDBValue | undefined): string | null {
  return value === null || value === undefined ? null : String(value);
}

/** SQL that gives long series by their extremes. */
function decimated(from: string, trials: string, keys: string): string {
  const series = SERIES_COLUMNS.join(', ');
  const part = `PARTITION BY ${series}, floor(part)`;
  return `
    WITH chosen AS (
      SELECT * FROM ${from}
      WHERE trial IN (${trials})
        AND (trial, attempt, device) IN (VALUES ${keys})
    ), placed AS (
      SELECT *, count(*) OVER w AS n,
        ((atMonoNs - min(atMonoNs) OVER w)::DOUBLE
          / greatest(1, max(atMonoNs) OVER w - min(atMonoNs) OVER w + 1)
          * ${POINTS_MAX / 2})::DOUBLE AS part
      FROM chosen WINDOW w AS (PARTITION BY ${series})
    ), ranked AS (
      SELECT *,
        row_number() OVER (${part} ORDER BY value, atMonoNs) AS low,
        row_number() OVER (${part} ORDER BY value DESC, atMonoNs DESC) AS high,
        row_number() OVER (${part}, value IS NULL ORDER BY atMonoNs) AS place
      FROM placed
    )
    SELECT ${series}, atMonoNs, value FROM ranked
    WHERE n <= ${POINTS_MAX} OR low = 1 OR high = 1 OR (value IS NULL AND place = 1)
    ORDER BY ${series}, atMonoNs, value`;
}

async function withSamples<T>(
  folder: string,
  work: (connection: DuckDBConnection, from: string) => Promise<T[]>,
): Promise<T[]> {
  const path = join(folder, 'samples.parquet');
  if (!existsSync(path)) return [];
  const database = await openDatabase({ memoryMb: MEMORY_MB });
  try {
    return await work(await database.connect(), `read_parquet(${sqlText(path)})`);
  } catch (error) {
    const { message } = databaseError(error, `cannot read ${path}`);
    throw new LockstepError('PARQUET_DAMAGED', message, { cause: error });
  } finally {
    database.close();
  }
}
