import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import protobuf from 'protobufjs';
import type { Payload, PayloadSink, Signal } from '../../../telemetry/payload.ts';
import { CHECKOUT } from '../../support/nats-server.ts';

/** Attributes by name; arrays as arrays, whole numbers as numbers. */
export type Decoded = Record<string, unknown>;

export interface DecodedSpan {
  readonly name: string;
  readonly kind: string;
  readonly traceId: string;
  readonly spanId: string;
  /** Absent: a root. */
  readonly parentSpanId: string | undefined;
  readonly startUtcNs: bigint;
  readonly endUtcNs: bigint;
  readonly attributes: Decoded;
  readonly links: readonly { traceId: string; spanId: string }[];
  readonly events: readonly { name: string; atUtcNs: bigint; attributes: Decoded }[];
  readonly isError: boolean;
  readonly resource: Decoded;
}

export interface DecodedPoint {
  readonly metric: string;
  readonly unit: string;
  readonly isMonotonic: boolean;
  readonly temporality: string | undefined;
  readonly value: number;
  readonly attributes: Decoded;
}

export interface DecodedRecord {
  readonly severityText: string;
  readonly severityNumber: string;
  readonly body: string;
  readonly atUtcNs: bigint;
  readonly attributes: Decoded;
  readonly traceId: string;
  readonly spanId: string;
}

/** Messages as protobufjs gives them: numbers of 64 bits and enumerations as text. */
interface RawValue {
  readonly stringValue?: string;
  readonly boolValue?: boolean;
  readonly intValue?: string;
  readonly doubleValue?: number;
  readonly arrayValue?: { readonly values: readonly RawValue[] };
}
type RawAttributes = readonly { readonly key: string; readonly value: RawValue }[];
interface RawSpan {
  readonly name: string;
  readonly kind: string;
  readonly traceId: Uint8Array;
  readonly spanId: Uint8Array;
  readonly parentSpanId?: Uint8Array;
  readonly startTimeUnixNano: string;
  readonly endTimeUnixNano: string;
  readonly attributes?: RawAttributes;
  readonly links?: readonly { readonly traceId: Uint8Array; readonly spanId: Uint8Array }[];
  readonly events?: readonly {
    readonly name: string;
    readonly timeUnixNano: string;
    readonly attributes?: RawAttributes;
  }[];
  readonly status?: { readonly code?: string };
}
interface RawPoint {
  readonly asDouble?: number;
  readonly asInt?: string;
  readonly attributes?: RawAttributes;
}
interface RawMetric {
  readonly name: string;
  readonly unit: string;
  readonly sum?: {
    readonly dataPoints: readonly RawPoint[];
    readonly isMonotonic?: boolean;
    readonly aggregationTemporality?: string;
  };
  readonly gauge?: { readonly dataPoints: readonly RawPoint[] };
}
interface RawRecord {
  readonly severityText: string;
  readonly severityNumber: string;
  readonly body?: RawValue;
  readonly timeUnixNano: string;
  readonly attributes?: RawAttributes;
  readonly traceId?: Uint8Array;
  readonly spanId?: Uint8Array;
}
interface RawTraces {
  readonly resourceSpans: readonly {
    readonly resource: { readonly attributes?: RawAttributes };
    readonly scopeSpans: readonly { readonly spans: readonly RawSpan[] }[];
  }[];
}
interface RawMetrics {
  readonly resourceMetrics: readonly {
    readonly scopeMetrics: readonly { readonly metrics: readonly RawMetric[] }[];
  }[];
}
interface RawLogs {
  readonly resourceLogs: readonly {
    readonly scopeLogs: readonly { readonly logRecords: readonly RawRecord[] }[];
  }[];
}

const FILES: Readonly<Record<Signal, string>> = {
  traces: 'trace',
  metrics: 'metrics',
  logs: 'logs',
};
const REQUESTS: Readonly<Record<Signal, string>> = {
  traces: 'trace.v1.ExportTraceServiceRequest',
  metrics: 'metrics.v1.ExportMetricsServiceRequest',
  logs: 'logs.v1.ExportLogsServiceRequest',
};

const proto = loadProto();

/** Keeps what it is given, and reads it back by OpenTelemetry's own .proto files. */
export class CollectingSink implements PayloadSink {
  readonly payloads: Payload[] = [];

  add(payload: Payload): Promise<void> {
    this.payloads.push(payload);
    return Promise.resolve();
  }

  /** Items that the payloads of a signal say they have. */
  items(signal: Signal): number {
    return this.#of(signal).reduce((sum, { items }) => sum + items, 0);
  }

  spans(): DecodedSpan[] {
    return this.#decoded<RawTraces>('traces').flatMap(({ resourceSpans }) =>
      resourceSpans.flatMap(({ resource, scopeSpans }) =>
        scopeSpans.flatMap(({ spans }) =>
          spans.map((span) => spanOf(span, attributesOf(resource.attributes))),
        ),
      ),
    );
  }

  points(): DecodedPoint[] {
    return this.#decoded<RawMetrics>('metrics').flatMap(({ resourceMetrics }) =>
      resourceMetrics.flatMap(({ scopeMetrics }) =>
        scopeMetrics.flatMap(({ metrics }) => metrics.flatMap(pointsOf)),
      ),
    );
  }

  records(): DecodedRecord[] {
    return this.#decoded<RawLogs>('logs').flatMap(({ resourceLogs }) =>
      resourceLogs.flatMap(({ scopeLogs }) =>
        scopeLogs.flatMap(({ logRecords }) => logRecords.map(recordOf)),
      ),
    );
  }

  #of(signal: Signal): Payload[] {
    return this.payloads.filter((payload) => payload.signal === signal);
  }

  #decoded<Request>(signal: Signal): Request[] {
    const type = proto.lookupType(`opentelemetry.proto.collector.${REQUESTS[signal]}`);
    return this.#of(signal).map(
      ({ bytes }) =>
        type.toObject(type.decode(gunzipSync(bytes)), { longs: String, enums: String }) as Request,
    );
  }
}

function loadProto(): protobuf.Root {
  const root = new protobuf.Root();
  const folder = join(CHECKOUT, 'node_modules/@elastic/mockotlpserver');
  root.resolvePath = (_, target) => join(folder, target);
  root.loadSync(
    Object.values(FILES).map(
      (file) => `opentelemetry/proto/collector/${file}/v1/${file}_service.proto`,
    ),
  );
  return root;
}

function spanOf(span: RawSpan, resource: Decoded): DecodedSpan {
  return {
    name: span.name,
    kind: span.kind,
    traceId: hex(span.traceId),
    spanId: hex(span.spanId),
    parentSpanId: span.parentSpanId?.length === 8 ? hex(span.parentSpanId) : undefined,
    startUtcNs: BigInt(span.startTimeUnixNano),
    endUtcNs: BigInt(span.endTimeUnixNano),
    attributes: attributesOf(span.attributes),
    links: (span.links ?? []).map((link) => ({
      traceId: hex(link.traceId),
      spanId: hex(link.spanId),
    })),
    events: (span.events ?? []).map((event) => ({
      name: event.name,
      atUtcNs: BigInt(event.timeUnixNano),
      attributes: attributesOf(event.attributes),
    })),
    isError: span.status?.code === 'STATUS_CODE_ERROR',
    resource,
  };
}

function pointsOf(metric: RawMetric): DecodedPoint[] {
  const { name, unit, sum, gauge } = metric;
  const { dataPoints } = sum ?? gauge ?? { dataPoints: [] };
  return dataPoints.map((point) => ({
    metric: name,
    unit,
    isMonotonic: sum?.isMonotonic === true,
    temporality: sum?.aggregationTemporality,
    value: Number(point.asDouble ?? point.asInt),
    attributes: attributesOf(point.attributes),
  }));
}

function recordOf(record: RawRecord): DecodedRecord {
  return {
    severityText: record.severityText,
    severityNumber: record.severityNumber,
    body: record.body?.stringValue ?? '',
    atUtcNs: BigInt(record.timeUnixNano),
    attributes: attributesOf(record.attributes),
    traceId: hex(record.traceId),
    spanId: hex(record.spanId),
  };
}

function attributesOf(attributes: RawAttributes = []): Decoded {
  return Object.fromEntries(attributes.map(({ key, value }) => [key, valueOf(value)]));
}

function valueOf(value: RawValue): unknown {
  if (value.arrayValue !== undefined) return value.arrayValue.values.map(valueOf);
  if (value.intValue !== undefined) return Number(value.intValue);
  return value.stringValue ?? value.doubleValue ?? value.boolValue;
}

function hex(bytes: Uint8Array = new Uint8Array()): string {
  return Buffer.from(bytes).toString('hex');
}
