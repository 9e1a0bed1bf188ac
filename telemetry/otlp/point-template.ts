import { encodeFixed64, encodeMessage } from './wire-format.ts';

/** Fields of NumberDataPoint, opentelemetry/proto/metrics/v1/metrics.proto. */
const POINT = { startTime: 2, time: 3, asDouble: 4, attributes: 7 } as const;
/** Field of Gauge and of Sum that holds points. */
const DATA_POINTS = 1;
const FIXED64_BYTES = 8;

/** A point of a series as a field of Gauge or Sum, with places for its time and value. */
export interface PointTemplate {
  readonly bytes: Uint8Array;
  readonly timeAt: number;
  readonly valueAt: number;
}

/** Instants (UTC) and values; NaN where there is no point. */
interface Columns {
  readonly utcNs: BigInt64Array;
  readonly values: Float64Array;
}

/** A place for `points` points. */
interface Target {
  readonly bytes: Uint8Array;
  readonly at: number;
  readonly points: number;
}

/** The template of a series, all of whose points have the same length. */
export function makePointTemplate(
  encodeAttributes: (field: number) => readonly Uint8Array[],
  startUtcNs: bigint | undefined,
): PointTemplate {
  const start = startUtcNs === undefined ? [] : [encodeFixed64(POINT.startTime, startUtcNs)];
  const time = encodeFixed64(POINT.time, 0n);
  const value = encodeFixed64(POINT.asDouble, 0n);
  const attributes = encodeAttributes(POINT.attributes);
  const bytes = encodeMessage(DATA_POINTS, ...start, time, value, ...attributes);
  const attributesLength = attributes.reduce((sum, part) => sum + part.length, 0);
  const valueAt = bytes.length - attributesLength - FIXED64_BYTES;
  return { bytes, timeAt: valueAt - value.length, valueAt };
}

/** Writes the points of a series, and returns the place after them. */
export function writePoints(template: PointTemplate, columns: Columns, target: Target): number {
  const step = template.bytes.length;
  const end = target.at + step * target.points;
  layTemplate(template.bytes, target.bytes, target.at, end);
  const { utcNs, values } = columns;
  const view = new DataView(target.bytes.buffer, target.bytes.byteOffset, target.bytes.length);
  let timeAt = target.at + template.timeAt;
  const valueOffset = template.valueAt - template.timeAt;
  for (let index = 0; index < values.length; index += 1) {
    const value = values[index] ?? NaN;
    // Only NaN differs from itself.
    if (value !== value) continue;
    view.setBigInt64(timeAt, utcNs[index] ?? 0n, true);
    view.setFloat64(timeAt + valueOffset, value, true);
    timeAt += step;
  }
  return end;
}

/** Fills a stretch with copies of the template, each time twice as many at once. */
function layTemplate(template: Uint8Array, bytes: Uint8Array, from: number, to: number): void {
  if (from === to) return;
  bytes.set(template, from);
  for (let filled = template.length; from + filled < to; filled *= 2) {
    bytes.copyWithin(from + filled, from, from + Math.min(filled, to - from - filled));
  }
}
