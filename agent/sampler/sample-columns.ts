import type { SourceName } from '../../schemas/telemetry-names.ts';
import type { FinalReading, SeriesIdentity } from '../collectors/collector.ts';
import type { ReadingChunk } from './reading-table.ts';

/** What the readings of a trial are of. */
export interface SourceKey {
  readonly source: SourceName;
  /** Number of the sandbox. Absent: the device. */
  readonly instance?: number;
}

/** The values of one series. */
export interface SeriesColumn extends SeriesIdentity {
  /** A value per instant of its source; NaN where there is none. */
  readonly values: Float64Array;
}

/** Readings of one source, by series. */
export interface SampleColumns extends SourceKey {
  /** CLOCK_MONOTONIC, ascending, each once. */
  readonly monoNs: BigInt64Array;
  readonly series: readonly SeriesColumn[];
}

/** Readings that were taken one after the other while the series of their source were the same. */
export interface Segment {
  readonly chunks: readonly ReadingChunk[];
  /** Series in each row of the chunks: the first of those of the source. */
  readonly width: number;
}

/** Turns readings by time into columns by series. */
export function columnsOf(
  key: SourceKey,
  series: readonly SeriesIdentity[],
  segments: readonly Segment[],
): SampleColumns {
  const rows = segments.flatMap(({ chunks }) => chunks).reduce((sum, chunk) => sum + chunk.rows, 0);
  const monoNs = new BigInt64Array(rows);
  const columns = series.map(() => new Float64Array(rows).fill(Number.NaN));
  let at = 0;
  for (const { chunks, width } of segments) {
    for (const chunk of chunks) {
      monoNs.set(chunk.monoNs.subarray(0, chunk.rows), at);
      for (let column = 0; column < width; column += 1) {
        const into = columns[column];
        if (into === undefined) continue;
        for (let row = 0; row < chunk.rows; row += 1) {
          into[at + row] = chunk.values[row * width + column] ?? Number.NaN;
        }
      }
      at += chunk.rows;
    }
  }
  return {
    ...key,
    monoNs,
    series: series.map((identity, index) => ({
      ...identity,
      values: columns[index] ?? new Float64Array(rows).fill(Number.NaN),
    })),
  };
}

/** Which source of which sandbox, as a key of a map. */
export function sourceKeyText({ source, instance }: SourceKey): string {
  return `${source}/${instance ?? 'host'}`;
}

/** What tells a series from all others of its source, as a key of a map. */
export function seriesKeyText({ metric, attributes = {} }: SeriesIdentity): string {
  const pairs = Object.entries(attributes).sort(([a], [b]) => (a < b ? -1 : 1));
  return JSON.stringify([metric, pairs]);
}

/**
 * Adds a last reading to the columns of its source, at its place in time. Series that the source
 * did not have before begin with it.
 */
function withFinal(columns: SampleColumns, final: FinalReading): SampleColumns {
  const { source, instance, monoNs } = columns;
  let place = monoNs.length;
  while (place > 0 && (monoNs[place - 1] ?? 0n) >= final.atMonoNs) place -= 1;
  // Two readings at one instant are one: the later of them says what was there.
  const isReplaced = monoNs[place] === final.atMonoNs;
  const length = monoNs.length + (isReplaced ? 0 : 1);
  const instants = new BigInt64Array(length);
  insert(instants, monoNs, place, isReplaced);
  instants[place] = final.atMonoNs;
  const values = new Map(final.readings.map((reading) => [seriesKeyText(reading), reading]));
  const series = columns.series.map((column) => {
    const key = seriesKeyText(column);
    const widened = new Float64Array(length);
    insert(widened, column.values, place, isReplaced);
    const kept = isReplaced ? (column.values[place] ?? Number.NaN) : Number.NaN;
    widened[place] = values.get(key)?.value ?? kept;
    values.delete(key);
    return { ...column, values: widened };
  });
  for (const { value, ...identity } of values.values()) {
    const column = new Float64Array(length).fill(Number.NaN);
    column[place] = value;
    series.push({ ...identity, values: column });
  }
  const key = { source, ...(instance === undefined ? {} : { instance }) };
  return { ...key, monoNs: instants, series };
}

/** Adds last readings, each to the columns of its source; columns of its own if it has none. */
export function withFinals(
  all: readonly SampleColumns[],
  finals: readonly FinalReading[],
): SampleColumns[] {
  const columns = new Map(all.map((each) => [sourceKeyText(each), each]));
  for (const final of finals) {
    const { source, instance } = final;
    const key = sourceKeyText(final);
    const before = columns.get(key) ?? {
      source,
      instance,
      monoNs: new BigInt64Array(),
      series: [],
    };
    columns.set(key, withFinal(before, final));
  }
  return [...columns.values()];
}

/** Values that are there. */
export function countValues({ series }: SampleColumns): number {
  let count = 0;
  for (const { values } of series) {
    for (const value of values) if (!Number.isNaN(value)) count += 1;
  }
  return count;
}

function insert<T extends BigInt64Array | Float64Array>(
  into: T,
  from: T,
  place: number,
  isReplaced: boolean,
): void {
  into.set(from.subarray(0, place) as never, 0);
  into.set(from.subarray(isReplaced ? place + 1 : place) as never, place + 1);
}
