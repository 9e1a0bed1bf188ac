import assert from 'node:assert';
import { SAMPLED_METRICS, SCHEMA_URL } from '../../schemas/telemetry-names.ts';
import type { MetricDefinition, SampledMetric } from '../../schemas/telemetry-names.ts';
import { encodeAttributes } from './encode-attributes.ts';
import { makePointTemplate, writePoints } from './point-template.ts';
import type { PointTemplate } from './point-template.ts';
import { SCOPE_FIELD } from './scope.ts';
import { encodeLengthPrefix, encodeMessage, encodeNumber, encodeText } from './wire-format.ts';

/** The values of one metric with the same attributes. */
export interface SampleSeries {
  readonly metric: SampledMetric;
  readonly attributes?: Readonly<Record<string, string>>;
  /** Since when a counter or level counts, UTC; not written for a gauge. */
  readonly startUtcNs?: bigint;
  /** Instants, UTC. */
  readonly utcNs: BigInt64Array;
  /** A value per instant, in the unit of the metric; NaN where there is none. */
  readonly values: Float64Array;
}

/** What is sampled, and its series. */
export interface SampleResource {
  readonly attributes: Readonly<Record<string, string>>;
  readonly series: readonly SampleSeries[];
}

/** An ExportMetricsServiceRequest. */
export interface EncodedSamples {
  /** Protobuf, not compressed. */
  readonly bytes: Uint8Array;
  readonly points: number;
}

/** Fields of the messages, by opentelemetry/proto/{metrics,common,resource}/v1 (1.5.0). */
const REQUEST = { resourceMetrics: 1 } as const;
const RESOURCE_METRICS = { resource: 1, scopeMetrics: 2, schemaUrl: 3 } as const;
const RESOURCE = { attributes: 1 } as const;
const SCOPE_METRICS = { metrics: 2, schemaUrl: 3 } as const;
const METRIC = { name: 1, description: 2, unit: 3, gauge: 5, sum: 7 } as const;
const SUM = { aggregationTemporality: 2, isMonotonic: 3 } as const;
const CUMULATIVE = 2;

const SCOPE_URL_FIELD = encodeText(SCOPE_METRICS.schemaUrl, SCHEMA_URL);
const RESOURCE_URL_FIELD = encodeText(RESOURCE_METRICS.schemaUrl, SCHEMA_URL);

/** A metric of a resource without its points. */
interface MetricFrame {
  /** Name, description and unit. */
  readonly head: Uint8Array;
  /** Field of the kind of data. */
  readonly dataField: number;
  /** What follows the points: how they are aggregated. */
  readonly tail: Uint8Array;
}

/** Points of one series within one request. */
interface Slice {
  /** The field `resource`; the same object for the same resource. */
  readonly resource: Uint8Array;
  /** The same object for the same metric of a resource. */
  readonly metric: MetricFrame;
  readonly template: PointTemplate;
  readonly series: SampleSeries;
  readonly from: number;
  readonly to: number;
  readonly points: number;
}

/**
 * Encodes samples as OTLP, as requests of at most `pointsMax` points. Series of the same metric
 * become points of one metric. Counters become monotonic cumulative sums, levels sums that are not
 * monotonic, gauges gauges. No object is made per point; what is no number is no point.
 */
export function* encodeSamples(
  resources: readonly SampleResource[],
  options: { readonly pointsMax: number },
): Generator<EncodedSamples> {
  assert(options.pointsMax >= 1, 'a request must have room for a point');
  let slices: Slice[] = [];
  let points = 0;
  for (const slice of sliceSeries(resources, options.pointsMax)) {
    slices.push(slice);
    points += slice.points;
    if (points < options.pointsMax) continue;
    yield { bytes: encodeRequest(slices), points };
    slices = [];
    points = 0;
  }
  if (points > 0) yield { bytes: encodeRequest(slices), points };
}

/** All series in the order in which they are written, cut where a request is full. */
function* sliceSeries(
  resources: readonly SampleResource[],
  pointsMax: number,
): Generator<Slice, void> {
  let room = pointsMax;
  for (const { attributes, series: all } of resources) {
    const resource = encodeMessage(
      RESOURCE_METRICS.resource,
      ...encodeAttributes(RESOURCE.attributes, attributes),
    );
    for (const [name, ofMetric] of Map.groupBy(all, ({ metric }) => metric)) {
      const metric = frameMetric(name);
      for (const series of ofMetric) {
        assert(series.utcNs.length === series.values.length, `${name}: a value per instant`);
        const template = templateOf(series);
        for (let from = 0; from < series.values.length;) {
          const { to, points } = takePoints(series.values, from, room);
          if (points > 0) yield { resource, metric, template, series, from, to, points };
          room = points === room ? pointsMax : room - points;
          from = to;
        }
      }
    }
  }
}

/** Where to stop so that at most `room` points are between, and how many are. */
function takePoints(
  values: Float64Array,
  from: number,
  room: number,
): { to: number; points: number } {
  let points = 0;
  let to = from;
  for (; to < values.length && points < room; to += 1) {
    // Only NaN differs from itself; this is the hot path.
    if (values[to] === values[to]) points += 1;
  }
  return { to, points };
}

function frameMetric(name: SampledMetric): MetricFrame {
  const { kind, unit, description }: MetricDefinition = SAMPLED_METRICS[name];
  const head = Buffer.concat([
    encodeText(METRIC.name, name),
    encodeText(METRIC.description, description),
    encodeText(METRIC.unit, unit),
  ]);
  if (kind === 'gauge') return { head, dataField: METRIC.gauge, tail: new Uint8Array() };
  const temporality = encodeNumber(SUM.aggregationTemporality, CUMULATIVE);
  const monotonic = kind === 'counter' ? encodeNumber(SUM.isMonotonic, 1) : new Uint8Array();
  return { head, dataField: METRIC.sum, tail: Buffer.concat([temporality, monotonic]) };
}

function templateOf({ metric, attributes = {}, startUtcNs }: SampleSeries): PointTemplate {
  const isGauge = SAMPLED_METRICS[metric].kind === 'gauge';
  return makePointTemplate(
    (field) => encodeAttributes(field, attributes),
    isGauge ? undefined : startUtcNs,
  );
}

/** A message whose length is known before it is written. */
interface Sized {
  /** Bytes without the prefix. */
  readonly length: number;
  /** Writes them, and returns the place after them. */
  write(bytes: Uint8Array, at: number): number;
}

function encodeRequest(slices: readonly Slice[]): Uint8Array {
  const groups = Map.groupBy(slices, ({ resource }) => resource);
  const fields = [...groups].map(([resource, ofResource]) =>
    sizeField(REQUEST.resourceMetrics, sizeResource(resource, ofResource)),
  );
  const request = joinSized(fields);
  const bytes = new Uint8Array(request.length);
  request.write(bytes, 0);
  return bytes;
}

function sizeResource(resource: Uint8Array, slices: readonly Slice[]): Sized {
  const groups = Map.groupBy(slices, ({ metric }) => metric);
  const metrics = [...groups].map(([metric, ofMetric]) =>
    sizeField(SCOPE_METRICS.metrics, sizeMetric(metric, ofMetric)),
  );
  const scope = joinSized([sizeBytes(SCOPE_FIELD), ...metrics, sizeBytes(SCOPE_URL_FIELD)]);
  return joinSized([
    sizeBytes(resource),
    sizeField(RESOURCE_METRICS.scopeMetrics, scope),
    sizeBytes(RESOURCE_URL_FIELD),
  ]);
}

function sizeMetric({ head, dataField, tail }: MetricFrame, slices: readonly Slice[]): Sized {
  const data = joinSized([...slices.map(sizeSlice), sizeBytes(tail)]);
  return joinSized([sizeBytes(head), sizeField(dataField, data)]);
}

function sizeSlice({ template, series, from, to, points }: Slice): Sized {
  const length = template.bytes.length * points;
  const { utcNs, values } = series;
  const columns = { utcNs: utcNs.subarray(from, to), values: values.subarray(from, to) };
  return { length, write: (bytes, at) => writePoints(template, columns, { bytes, at, points }) };
}

function sizeBytes(part: Uint8Array): Sized {
  return {
    length: part.length,
    write(bytes, at) {
      bytes.set(part, at);
      return at + part.length;
    },
  };
}

function sizeField(field: number, content: Sized): Sized {
  const prefix = encodeLengthPrefix(field, content.length);
  return joinSized([sizeBytes(prefix), content]);
}

function joinSized(parts: readonly Sized[]): Sized {
  return {
    length: parts.reduce((sum, part) => sum + part.length, 0),
    write: (bytes, at) => parts.reduce((next, part) => part.write(bytes, next), at),
  };
}
