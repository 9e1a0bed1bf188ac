import type { SampleBlock } from '../../schemas/telemetry.ts';
import { attributesText } from './sample-columns.ts';

/** What tells the series of one device's part in a trial apart. */
export interface SeriesName {
  /** Undefined if it is about the whole device. */
  readonly instance: number | undefined;
  readonly source: string;
  readonly metric: string;
  /** Undefined if there are none. */
  readonly attributes: string | undefined;
  readonly unit: string;
}

/** One series by time: instants on CLOCK_MONOTONIC, ns, and as many values; NaN is none. */
export interface OrderedSeries extends SeriesName {
  readonly atMonoNs: BigInt64Array;
  readonly values: Float64Array;
}

/** A part of a series: the instants are shared by all series of a group. */
interface Segment {
  readonly atMonoNs: BigInt64Array;
  readonly values: Float64Array;
}

interface Gathered {
  readonly name: SeriesName;
  readonly segments: Segment[];
}

/**
 * Gathers the blocks of one device's part in a trial and gives its series in the order of
 * samples.parquet. Values are kept as 8 bytes each.
 */
export class SeriesGatherer {
  readonly #series = new Map<string, Gathered>();

  /** Adds a block, in any order. Its series have a value per instant. */
  add({ groups }: SampleBlock): void {
    for (const { source, instance, firstMonoNs, stepsNs, series } of groups) {
      const atMonoNs = instantsOf(firstMonoNs, stepsNs);
      for (const { metric, unit, attributes, values } of series) {
        const name = { instance, source, metric, attributes: attributesText(attributes), unit };
        const key = JSON.stringify(Object.values(name).map((part) => part ?? null));
        const segment = { atMonoNs, values: Float64Array.from(values, (value) => value ?? NaN) };
        const known = this.#series.get(key);
        if (known === undefined) this.#series.set(key, { name, segments: [segment] });
        else known.segments.push(segment);
      }
    }
  }

  /** All series by instance, source, metric and attributes; each by time. */
  ordered(): OrderedSeries[] {
    return [...this.#series.values()]
      .toSorted((a, b) => compareNames(a.name, b.name))
      .map(({ name, segments }) => ({ ...name, ...joined(segments) }));
  }
}

function instantsOf(firstMonoNs: bigint, stepsNs: readonly number[]): BigInt64Array {
  const instants = new BigInt64Array(stepsNs.length + 1);
  let at = firstMonoNs;
  instants[0] = at;
  for (const [index, step] of stepsNs.entries()) {
    at += BigInt(step);
    instants[index + 1] = at;
  }
  return instants;
}

/** Puts segments one after the other; where they overlap, value by value. */
function joined(segments: readonly Segment[]): Segment {
  const [only, second] = segments;
  if (only !== undefined && second === undefined) return only;
  const inOrder = segments.toSorted((a, b) => compare(a.atMonoNs[0] ?? 0n, b.atMonoNs[0] ?? 0n));
  const length = inOrder.reduce((sum, { values }) => sum + values.length, 0);
  const atMonoNs = new BigInt64Array(length);
  const values = new Float64Array(length);
  let place = 0;
  let isOrdered = true;
  for (const segment of inOrder) {
    if (place > 0 && compare(atMonoNs[place - 1] ?? 0n, segment.atMonoNs[0] ?? 0n) > 0) {
      isOrdered = false;
    }
    atMonoNs.set(segment.atMonoNs, place);
    values.set(segment.values, place);
    place += segment.values.length;
  }
  return isOrdered ? { atMonoNs, values } : sorted({ atMonoNs, values });
}

function sorted({ atMonoNs, values }: Segment): Segment {
  const order = Uint32Array.from(values.keys()).sort((a, b) => {
    const [left, right] = [values[a] ?? NaN, values[b] ?? NaN];
    return compare(atMonoNs[a] ?? 0n, atMonoNs[b] ?? 0n) || compareValues(left, right);
  });
  return {
    atMonoNs: BigInt64Array.from(order, (place) => atMonoNs[place] ?? 0n),
    values: Float64Array.from(order, (place) => values[place] ?? NaN),
  };
}

/** Numbers by size, then what is none. */
function compareValues(left: number, right: number): number {
  if (Number.isNaN(left) || Number.isNaN(right)) {
    return Number(Number.isNaN(left)) - Number(Number.isNaN(right));
  }
  return left - right;
}

/** Sandboxes by number, then the device as a whole; texts by their UTF-8, as in the database. */
function compareNames(a: SeriesName, b: SeriesName): number {
  return (
    (a.instance ?? Number.MAX_SAFE_INTEGER) - (b.instance ?? Number.MAX_SAFE_INTEGER) ||
    compareTexts(a.source, b.source) ||
    compareTexts(a.metric, b.metric) ||
    compareAttributes(a.attributes, b.attributes) ||
    compareTexts(a.unit, b.unit)
  );
}

function compareAttributes(a: string | undefined, b: string | undefined): number {
  if (a === undefined || b === undefined) return Number(a === undefined) - Number(b === undefined);
  return compareTexts(a, b);
}

function compareTexts(a: string, b: string): number {
  if (a === b) return 0;
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}

function compare(a: bigint, b: bigint): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
