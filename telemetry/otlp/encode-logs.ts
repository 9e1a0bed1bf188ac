import { encodeAttributes, encodeValue } from './encode-attributes.ts';
import type { Attributes } from './encode-attributes.ts';
import { encodeFixed64, encodeMessage, encodeNumber, encodeText } from './wire-format.ts';
import { encodeResourceItems } from './resource-items.ts';

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
const LOG_RECORDS = 2;
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
      encodeResourceItems(attributes, lines.map(encodeLine)),
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
    LOG_RECORDS,
    encodeFixed64(RECORD.time, utcNs),
    encodeNumber(RECORD.severityNumber, SEVERITIES[severity]),
    encodeText(RECORD.severityText, severity),
    encodeMessage(RECORD.body, encodeValue(body)),
    ...encodeAttributes(RECORD.attributes, attributes),
    ...ids,
    encodeFixed64(RECORD.observedTime, utcNs),
  );
}
