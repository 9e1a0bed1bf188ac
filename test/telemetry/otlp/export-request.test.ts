import { ROOT_CONTEXT, SeverityNumber, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api';
import {
  JsonLogsSerializer,
  JsonTraceSerializer,
  ProtobufLogsSerializer,
  ProtobufTraceSerializer,
} from '@opentelemetry/otlp-transformer';
import { resourceFromAttributes } from '@opentelemetry/resources';
import {
  InMemoryLogRecordExporter,
  LoggerProvider,
  SimpleLogRecordProcessor,
} from '@opentelemetry/sdk-logs';
import {
  InMemorySpanExporter,
  SimpleSpanProcessor,
  TracerProvider,
} from '@opentelemetry/sdk-trace';
import test from 'ava';
import { LockstepError } from '../../../schemas/errors.ts';
import { encodeLogs } from '../../../telemetry/otlp/encode-logs.ts';
import { encodeSamples } from '../../../telemetry/otlp/encode-samples.ts';
import { encodeSpans } from '../../../telemetry/otlp/encode-spans.ts';
import {
  countItems,
  decodeRequest,
  transcodeToJson,
} from '../../../telemetry/otlp/export-request.ts';
import { encodeMessage } from '../../../telemetry/otlp/wire-format.ts';
import { OfficialSchema } from './official-schema.ts';

const resource = resourceFromAttributes({ 'service.name': 'test', sizes: [1, 2], half: 0.5 });

/**
 * Without what is as if it were not there, which JSON writers may write or not, and with whole
 * numbers as text, as the protocol demands.
 */
function withoutDefaults(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutDefaults);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).filter(([, inner]) => {
    return !(inner === 0 || inner === '' || (Array.isArray(inner) && inner.length === 0));
  });
  return Object.fromEntries(
    entries.map(([key, inner]) => [
      key,
      key === 'intValue' ? String(inner) : withoutDefaults(inner),
    ]),
  );
}

function parse(bytes: Uint8Array | undefined): unknown {
  return withoutDefaults(JSON.parse(Buffer.from(bytes!).toString()));
}

test('transcodeToJson gives for spans what the JSON serializer of OpenTelemetry gives', async (t) => {
  const exporter = new InMemorySpanExporter();
  const provider = new TracerProvider({
    resource,
    spanProcessors: [new SimpleSpanProcessor({ exporter })],
  });
  const tracer = provider.getTracer('scope', '1.2.3');
  const parent = tracer.startSpan('parent', {
    kind: SpanKind.PRODUCER,
    attributes: { n: -5, ok: true },
  });
  parent.addEvent('seen', { what: 'ä' });
  const context = trace.setSpanContext(ROOT_CONTEXT, {
    ...parent.spanContext(),
  });
  const link = { context: parent.spanContext(), attributes: { why: 'retry' } };
  const child = tracer.startSpan('child', { links: [link] }, context);
  child.setStatus({ code: SpanStatusCode.ERROR, message: 'timeout' });
  child.end();
  parent.end();
  const spans = exporter.getFinishedSpans();
  t.is(spans.length, 2);
  const bytes = ProtobufTraceSerializer.serializeRequest(spans)!;
  t.deepEqual(
    parse(transcodeToJson('traces', bytes)),
    parse(JsonTraceSerializer.serializeRequest(spans)),
  );
  t.is(countItems('traces', bytes), 2);
  await provider.shutdown();
});

test('transcodeToJson gives for logs what the JSON serializer of OpenTelemetry gives', async (t) => {
  const exporter = new InMemoryLogRecordExporter();
  const provider = new LoggerProvider({
    resource,
    processors: [new SimpleLogRecordProcessor({ exporter })],
  });
  const logger = provider.getLogger('scope');
  logger.emit({
    body: { nested: ['a', 1n, null] },
    severityNumber: SeverityNumber.INFO,
    timestamp: [1_795_459_200, 7],
  });
  logger.emit({ body: 'text', attributes: { bytes: Uint8Array.of(0, 255) } });
  await provider.forceFlush();
  const records = exporter.getFinishedLogRecords();
  t.is(records.length, 2);
  const bytes = ProtobufLogsSerializer.serializeRequest(records)!;
  t.deepEqual(
    parse(transcodeToJson('logs', bytes)),
    parse(JsonLogsSerializer.serializeRequest(records)),
  );
  t.is(countItems('logs', bytes), 2);
  await provider.shutdown();
});

const IDS = { traceId: '0123456789abcdef0123456789abcdef', spanId: 'fedcba9876543210' };

test('encodeSpans writes what the official schema reads as the same values', (t) => {
  const schema = OfficialSchema.load(t);
  if (schema === undefined) return;
  const bytes = encodeSpans([
    {
      attributes: { 'service.name': 'a' },
      spans: [
        { ...IDS, name: 'root', kind: 'producer', startUtcNs: 5n, endUtcNs: 2n ** 63n },
        {
          ...IDS,
          spanId: '00000000000000ff',
          parentSpanId: IDS.spanId,
          name: 'boot',
          kind: 'internal',
          startUtcNs: 6n,
          endUtcNs: 7n,
          attributes: { text: '', whole: -3, part: 1.5, yes: true, large: 2 ** 53 - 1 },
        },
      ],
    },
  ]);
  const decoded = JSON.stringify(schema.decode('traces', bytes), (_, value: unknown) =>
    isBytes(value) ? Buffer.from(value.data).toString('hex') : value,
  );
  const child = '"parentSpanId":"fedcba9876543210","name":"boot","kind":"SPAN_KIND_INTERNAL"';
  t.true(decoded.includes(child), decoded);
  t.true(decoded.includes('"kind":"SPAN_KIND_PRODUCER"'));
  t.true(decoded.includes('"endTimeUnixNano":"9223372036854775808"'));
  t.true(decoded.includes('{"key":"text","value":{"stringValue":""}}'));
  t.true(decoded.includes('{"key":"whole","value":{"intValue":"-3"}}'));
  t.true(decoded.includes('{"key":"part","value":{"doubleValue":1.5}}'));
  t.true(decoded.includes('{"key":"yes","value":{"boolValue":true}}'));
  t.true(decoded.includes('{"key":"large","value":{"intValue":"9007199254740991"}}'));
  t.is(countItems('traces', bytes), 2);
});

function isBytes(value: unknown): value is { data: number[] } {
  return typeof value === 'object' && value !== null && 'type' in value && value.type === 'Buffer';
}

test('encodeLogs writes what the official schema reads as the same values', (t) => {
  const schema = OfficialSchema.load(t);
  if (schema === undefined) return;
  const bytes = encodeLogs([
    { attributes: {}, lines: [{ utcNs: 9n, severity: 'WARN', body: 'slow', span: IDS }] },
  ]);
  const { resourceLogs } = schema.decode('logs', bytes) as {
    resourceLogs: { scopeLogs: { logRecords: unknown[] }[] }[];
  };
  t.deepEqual(resourceLogs[0]!.scopeLogs[0]!.logRecords, [
    {
      timeUnixNano: '9',
      observedTimeUnixNano: '9',
      severityNumber: 'SEVERITY_NUMBER_WARN',
      severityText: 'WARN',
      body: { stringValue: 'slow' },
      traceId: Buffer.from(IDS.traceId, 'hex'),
      spanId: Buffer.from(IDS.spanId, 'hex'),
    },
  ]);
  t.is(countItems('logs', bytes), 1);
});

test('transcodeToJson writes numbers that JSON lacks as words', (t) => {
  const values = Float64Array.of(Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 0);
  const series = { metric: 'hw.power', utcNs: BigInt64Array.of(1n, 2n, 3n), values } as const;
  const [request] = encodeSamples([{ attributes: {}, series: [series] }], { pointsMax: 9 });
  const json = Buffer.from(transcodeToJson('metrics', request!.bytes)).toString();
  t.true(json.includes('{"timeUnixNano":"1","asDouble":"Infinity"}'), json);
  t.true(json.includes('{"timeUnixNano":"2","asDouble":"-Infinity"}'));
  t.true(json.includes('{"timeUnixNano":"3","asDouble":0}'));
});

test('countItems counts the points of every kind of metric', (t) => {
  const two = [encodeMessage(1), encodeMessage(1)];
  const metrics = [5, 7, 9, 10, 11].map((kind) => encodeMessage(2, encodeMessage(kind, ...two)));
  const bytes = encodeMessage(1, encodeMessage(2, ...metrics));
  t.is(countItems('metrics', bytes), 10);
  t.is(countItems('metrics', new Uint8Array()), 0);
});

test('decodeRequest and countItems refuse bytes that end too early', (t) => {
  const bytes = encodeLogs([
    { attributes: {}, lines: [{ utcNs: 9n, severity: 'INFO', body: 'x' }] },
  ]);
  for (const read of [decodeRequest, countItems]) {
    const error = t.throws(() => read('logs', bytes.subarray(0, -1)), {
      instanceOf: LockstepError,
    });
    t.is(error.code, 'MESSAGE_INVALID');
  }
});
