/** The scalar types of protobuf that OTLP uses; `id` is bytes that JSON has as hexadecimal. */
const SCALAR_KINDS = [
  'bool',
  'bytes',
  'double',
  'enum',
  'fixed32',
  'fixed64',
  'id',
  'int32',
  'int64',
  'sfixed64',
  'sint32',
  'string',
  'uint32',
  'uint64',
] as const;
export type ScalarKind = (typeof SCALAR_KINDS)[number];

/** One field of a message. */
export interface FieldShape {
  /** Its name in JSON. */
  readonly name: string;
  readonly isRepeated: boolean;
  /** The choice that it belongs to: of those only the last one given counts. */
  readonly choice?: string;
  /** What its values are. */
  readonly type:
    | { readonly scalar: ScalarKind }
    /** A message, looked up when it is needed, as messages may contain themselves. */
    | { readonly message: () => MessageShape };
}

/** A message: its fields by number. */
export type MessageShape = ReadonlyMap<number, FieldShape>;

const NUMBER_POINT = {
  7: 'attributes: KeyValue[]',
  2: 'startTimeUnixNano: fixed64',
  3: 'timeUnixNano: fixed64',
};

/**
 * The messages of OTLP 1.5 as `name: type`, with `[]` where there may be many and `of CHOICE` where
 * only one counts. Source: github.com/open-telemetry/opentelemetry-proto; google.rpc for Status,
 * RetryInfo and what these hold.
 */
const MESSAGES = {
  ExportTraceServiceRequest: { 1: 'resourceSpans: ResourceSpans[]' },
  ExportMetricsServiceRequest: { 1: 'resourceMetrics: ResourceMetrics[]' },
  ExportLogsServiceRequest: { 1: 'resourceLogs: ResourceLogs[]' },
  ExportTraceServiceResponse: { 1: 'partialSuccess: ExportTracePartialSuccess' },
  ExportTracePartialSuccess: { 1: 'rejectedSpans: int64', 2: 'errorMessage: string' },
  ExportMetricsServiceResponse: { 1: 'partialSuccess: ExportMetricsPartialSuccess' },
  ExportMetricsPartialSuccess: { 1: 'rejectedDataPoints: int64', 2: 'errorMessage: string' },
  ExportLogsServiceResponse: { 1: 'partialSuccess: ExportLogsPartialSuccess' },
  ExportLogsPartialSuccess: { 1: 'rejectedLogRecords: int64', 2: 'errorMessage: string' },
  AnyValue: {
    1: 'stringValue: string of value',
    2: 'boolValue: bool of value',
    3: 'intValue: int64 of value',
    4: 'doubleValue: double of value',
    5: 'arrayValue: ArrayValue of value',
    6: 'kvlistValue: KeyValueList of value',
    7: 'bytesValue: bytes of value',
  },
  ArrayValue: { 1: 'values: AnyValue[]' },
  KeyValueList: { 1: 'values: KeyValue[]' },
  KeyValue: { 1: 'key: string', 2: 'value: AnyValue' },
  InstrumentationScope: {
    1: 'name: string',
    2: 'version: string',
    3: 'attributes: KeyValue[]',
    4: 'droppedAttributesCount: uint32',
  },
  Resource: { 1: 'attributes: KeyValue[]', 2: 'droppedAttributesCount: uint32' },
  ResourceSpans: { 1: 'resource: Resource', 2: 'scopeSpans: ScopeSpans[]', 3: 'schemaUrl: string' },
  ScopeSpans: { 1: 'scope: InstrumentationScope', 2: 'spans: Span[]', 3: 'schemaUrl: string' },
  Span: {
    1: 'traceId: id',
    2: 'spanId: id',
    3: 'traceState: string',
    4: 'parentSpanId: id',
    5: 'name: string',
    6: 'kind: enum',
    7: 'startTimeUnixNano: fixed64',
    8: 'endTimeUnixNano: fixed64',
    9: 'attributes: KeyValue[]',
    10: 'droppedAttributesCount: uint32',
    11: 'events: SpanEvent[]',
    12: 'droppedEventsCount: uint32',
    13: 'links: SpanLink[]',
    14: 'droppedLinksCount: uint32',
    15: 'status: SpanStatus',
    16: 'flags: fixed32',
  },
  SpanEvent: {
    1: 'timeUnixNano: fixed64',
    2: 'name: string',
    3: 'attributes: KeyValue[]',
    4: 'droppedAttributesCount: uint32',
  },
  SpanLink: {
    1: 'traceId: id',
    2: 'spanId: id',
    3: 'traceState: string',
    4: 'attributes: KeyValue[]',
    5: 'droppedAttributesCount: uint32',
    6: 'flags: fixed32',
  },
  SpanStatus: { 2: 'message: string', 3: 'code: enum' },
  ResourceMetrics: {
    1: 'resource: Resource',
    2: 'scopeMetrics: ScopeMetrics[]',
    3: 'schemaUrl: string',
  },
  ScopeMetrics: {
    1: 'scope: InstrumentationScope',
    2: 'metrics: Metric[]',
    3: 'schemaUrl: string',
  },
  Metric: {
    1: 'name: string',
    2: 'description: string',
    3: 'unit: string',
    5: 'gauge: Gauge of data',
    7: 'sum: Sum of data',
    9: 'histogram: Histogram of data',
    10: 'exponentialHistogram: ExponentialHistogram of data',
    11: 'summary: Summary of data',
    12: 'metadata: KeyValue[]',
  },
  Gauge: { 1: 'dataPoints: NumberDataPoint[]' },
  Sum: {
    1: 'dataPoints: NumberDataPoint[]',
    2: 'aggregationTemporality: enum',
    3: 'isMonotonic: bool',
  },
  Histogram: { 1: 'dataPoints: HistogramDataPoint[]', 2: 'aggregationTemporality: enum' },
  ExponentialHistogram: {
    1: 'dataPoints: ExponentialHistogramDataPoint[]',
    2: 'aggregationTemporality: enum',
  },
  Summary: { 1: 'dataPoints: SummaryDataPoint[]' },
  NumberDataPoint: {
    ...NUMBER_POINT,
    4: 'asDouble: double of value',
    5: 'exemplars: Exemplar[]',
    6: 'asInt: sfixed64 of value',
    8: 'flags: uint32',
  },
  HistogramDataPoint: {
    2: 'startTimeUnixNano: fixed64',
    3: 'timeUnixNano: fixed64',
    4: 'count: fixed64',
    5: 'sum: double',
    6: 'bucketCounts: fixed64[]',
    7: 'explicitBounds: double[]',
    8: 'exemplars: Exemplar[]',
    9: 'attributes: KeyValue[]',
    10: 'flags: uint32',
    11: 'min: double',
    12: 'max: double',
  },
  ExponentialHistogramDataPoint: {
    1: 'attributes: KeyValue[]',
    2: 'startTimeUnixNano: fixed64',
    3: 'timeUnixNano: fixed64',
    4: 'count: fixed64',
    5: 'sum: double',
    6: 'scale: sint32',
    7: 'zeroCount: fixed64',
    8: 'positive: Buckets',
    9: 'negative: Buckets',
    10: 'flags: uint32',
    11: 'exemplars: Exemplar[]',
    12: 'min: double',
    13: 'max: double',
    14: 'zeroThreshold: double',
  },
  Buckets: { 1: 'offset: sint32', 2: 'bucketCounts: uint64[]' },
  SummaryDataPoint: {
    ...NUMBER_POINT,
    4: 'count: fixed64',
    5: 'sum: double',
    6: 'quantileValues: ValueAtQuantile[]',
    8: 'flags: uint32',
  },
  ValueAtQuantile: { 1: 'quantile: double', 2: 'value: double' },
  Exemplar: {
    2: 'timeUnixNano: fixed64',
    3: 'asDouble: double of value',
    4: 'spanId: id',
    5: 'traceId: id',
    6: 'asInt: sfixed64 of value',
    7: 'filteredAttributes: KeyValue[]',
  },
  ResourceLogs: { 1: 'resource: Resource', 2: 'scopeLogs: ScopeLogs[]', 3: 'schemaUrl: string' },
  ScopeLogs: {
    1: 'scope: InstrumentationScope',
    2: 'logRecords: LogRecord[]',
    3: 'schemaUrl: string',
  },
  LogRecord: {
    1: 'timeUnixNano: fixed64',
    2: 'severityNumber: enum',
    3: 'severityText: string',
    5: 'body: AnyValue',
    6: 'attributes: KeyValue[]',
    7: 'droppedAttributesCount: uint32',
    8: 'flags: fixed32',
    9: 'traceId: id',
    10: 'spanId: id',
    11: 'observedTimeUnixNano: fixed64',
    12: 'eventName: string',
  },
  Status: { 1: 'code: int32', 2: 'message: string', 3: 'details: Any[]' },
  Any: { 1: 'typeUrl: string', 2: 'value: bytes' },
  RetryInfo: { 1: 'retryDelay: Duration' },
  Duration: { 1: 'seconds: int64', 2: 'nanos: int32' },
} as const satisfies Record<string, Readonly<Record<number, string>>>;

/** Names of the messages that can be read. */
export type MessageName = keyof typeof MESSAGES;

/** All messages that can be read, by name. */
export const MESSAGE_SHAPES: Readonly<Record<MessageName, MessageShape>> = Object.fromEntries(
  Object.entries(MESSAGES).map(([name, fields]) => [name, parseFields(fields)]),
) as Record<MessageName, MessageShape>;

function parseFields(fields: Readonly<Record<number, string>>): MessageShape {
  const shapes = new Map<number, FieldShape>();
  for (const [number, text] of Object.entries(fields)) shapes.set(Number(number), parseField(text));
  return shapes;
}

function parseField(text: string): FieldShape {
  const [, name, type, many, choice] = /^(\w+): (\w+)(\[\])?(?: of (\w+))?$/.exec(text) ?? [];
  if (name === undefined || type === undefined) throw new Error(`no field: ${text}`);
  const scalar = SCALAR_KINDS.find((kind) => kind === type);
  return {
    name,
    isRepeated: many !== undefined,
    ...(choice === undefined ? {} : { choice }),
    type:
      scalar === undefined ? { message: () => MESSAGE_SHAPES[type as MessageName] } : { scalar },
  };
}
