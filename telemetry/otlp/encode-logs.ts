import { SCHEMA_URL } from '../../schemas/telemetry-names.ts';
import { encodeAttributes, encodeValue } from './encode-attributes.ts';
import type { Attributes } from './encode-attributes.ts';
import { encodeFixed64, encodeMessage, encodeNumber, encodeText } from './wire-format.ts';
import { SCOPE_FIELD } from './scope.ts';

/** Severities by the first number that OpenTelemetry has for each. */
const SEVERITIES = { TRACE: 1, DEBUG: 5, INFO: 9, WARN: 13, ERROR: 17, FATAL: 21 } as const;

/** One line of a log. */
export interface LogLine {
  readonly utcNs: bigint;
  readonly severity: keyof typeof SEVERITIES;
  readonly body: string;
  readonly attributes?: Attributes;
  /** The span in which it was written. */
  readonly span?: { readonly traceId: string; readonly spanId: string };
}

/** What lines are of. */
export interface LogResource {
  readonly attributes: Attributes;
  readonly lines: readonly LogLine[];
}

/** Fields of the messages, opentelemetry/proto/logs/v1/logs.proto. */
const RESOURCE_LOGS = { resource: 1, scopeLogs: 2, schemaUrl: 3 } as const;
const RESOURCE_ATTRIBUTES = 1;
const SCOPE_LOGS = { logRecords: 2, schemaUrl: 3 } as const;
const RECORD = {
  time: 1,
  severityNumber: 2,
  severityText: 3,
  body: 5,
  attributes: 6,
  traceId: 9,
  spanId: 10,
  observedTime: 11,
} as const;

/** Encodes lines of logs as an ExportLogsServiceRequest, protobuf without compression. */
export function encodeLogs(resources: readonly LogResource[]): Uint8Array {
  return Buffer.concat(
    resources.map(({ attributes, lines }) =>
      encodeMessage(
        1,
        encodeMessage(RESOURCE_LOGS.resource, ...encodeAttributes(RESOURCE_ATTRIBUTES, attributes)),
        encodeMessage(
          RESOURCE_LOGS.scopeLogs,
          SCOPE_FIELD,
          ...lines.map(encodeLine),
          encodeText(SCOPE_LOGS.schemaUrl, SCHEMA_URL),
        ),
        encodeText(RESOURCE_LOGS.schemaUrl, SCHEMA_URL),
      ),
    ),
  );
}

function encodeLine({ utcNs, severity, body, attributes = {}, span }: LogLine): Uint8Array {
  const ids =
    span === undefined
      ? []
      : [
          encodeMessage(RECORD.traceId, Buffer.from(span.traceId, 'hex')),
          encodeMessage(RECORD.spanId, Buffer.from(span.spanId, 'hex')),
        ];
  return encodeMessage(
    SCOPE_LOGS.logRecords,
    encodeFixed64(RECORD.time, utcNs),
    encodeNumber(RECORD.severityNumber, SEVERITIES[severity]),
    encodeText(RECORD.severityText, severity),
    encodeMessage(RECORD.body, encodeValue(body)),
    ...encodeAttributes(RECORD.attributes, attributes),
    ...ids,
    encodeFixed64(RECORD.observedTime, utcNs),
  );
}
