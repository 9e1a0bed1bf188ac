import {
  defaultTextMapGetter,
  defaultTextMapSetter,
  ROOT_CONTEXT,
  trace,
} from '@opentelemetry/api';
import type { SpanContext } from '@opentelemetry/api';
import { W3CTraceContextPropagator } from '@opentelemetry/core';

/** How a device's spans belong to the trial's: children of its span, or a trace linked to it. */
export type TraceRelation = 'child' | 'link';

/** The trial's span, as a device learns of it. */
export interface TraceParent {
  readonly spanContext: SpanContext;
  readonly relation: TraceRelation;
}

/** Header that says `link` where {@link TraceRelation} is that. */
const RELATION_HEADER = 'lockstep-trace';

const propagator = new W3CTraceContextPropagator();

/**
 * The headers that carry a span to another process: W3C Trace Context (traceparent, tracestate),
 * in lower case, as names of NATS headers differ by case. None of a span that is not recorded.
 */
export function traceHeaders(
  spanContext: SpanContext,
  relation: TraceRelation,
): Record<string, string> {
  const headers: Record<string, string> = {};
  const context = trace.setSpanContext(ROOT_CONTEXT, spanContext);
  propagator.inject(context, headers, defaultTextMapSetter);
  if (relation === 'link' && 'traceparent' in headers) headers[RELATION_HEADER] = relation;
  return headers;
}

/** What {@link traceHeaders} wrote, or `undefined` where there is nothing or nothing valid. */
export function readTraceParent(
  headers: Readonly<Record<string, string>>,
): TraceParent | undefined {
  const context = propagator.extract(ROOT_CONTEXT, { ...headers }, defaultTextMapGetter);
  const spanContext = trace.getSpanContext(context);
  if (spanContext === undefined || !trace.isSpanContextValid(spanContext)) return undefined;
  return { spanContext, relation: headers[RELATION_HEADER] === 'link' ? 'link' : 'child' };
}
