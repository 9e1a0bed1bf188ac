import { encodeAttributes } from './encode-attributes.ts';
import type { Attributes } from './encode-attributes.ts';
import {
  encodeFixed32,
  encodeFixed64,
  encodeMessage,
  encodeNumber,
  encodeText,
} from './wire-format.ts';
import { encodeResourceItems } from './resource-items.ts';

/** What a span stands for; the numbers of SpanKind. */
const SPAN_KINDS = { internal: 1, server: 2, client: 3, producer: 4, consumer: 5 } as const;

/** A span that has ended. */
export interface EndedSpan {
  /** 32 hexadecimal digits. */
  readonly traceId: string;
  /** 16 hexadecimal digits. */
  readonly spanId: string;
  /** Absent for the root. */
  readonly parentSpanId?: string;
  readonly name: string;
  readonly kind: keyof typeof SPAN_KINDS;
  readonly startUtcNs: bigint;
  readonly endUtcNs: bigint;
  readonly attributes?: Attributes;
}

/** What spans are of. */
export interface SpanResource {
  readonly attributes: Attributes;
  readonly spans: readonly EndedSpan[];
}

/** Fields of the messages, opentelemetry/proto/trace/v1/trace.proto. */
const SPANS = 2;
const SPAN = {
  traceId: 1,
  spanId: 2,
  parentSpanId: 4,
  name: 5,
  kind: 6,
  startTime: 7,
  endTime: 8,
  attributes: 9,
  flags: 16,
} as const;
const SAMPLED = 1;

/** Encodes spans as an ExportTraceServiceRequest, protobuf without compression. */
export function encodeSpans(resources: readonly SpanResource[]): Uint8Array {
  return Buffer.concat(
    resources.map(({ attributes, spans }) =>
      encodeResourceItems(attributes, spans.map(encodeSpan)),
    ),
  );
}

function encodeSpan(span: EndedSpan): Uint8Array {
  const { parentSpanId } = span;
  return encodeMessage(
    SPANS,
    encodeMessage(SPAN.traceId, Buffer.from(span.traceId, 'hex')),
    encodeMessage(SPAN.spanId, Buffer.from(span.spanId, 'hex')),
    ...(parentSpanId === undefined
      ? []
      : [encodeMessage(SPAN.parentSpanId, Buffer.from(parentSpanId, 'hex'))]),
    encodeText(SPAN.name, span.name),
    encodeNumber(SPAN.kind, SPAN_KINDS[span.kind]),
    encodeFixed64(SPAN.startTime, span.startUtcNs),
    encodeFixed64(SPAN.endTime, span.endUtcNs),
    ...encodeAttributes(SPAN.attributes, span.attributes ?? {}),
    encodeFixed32(SPAN.flags, SAMPLED),
  );
}
