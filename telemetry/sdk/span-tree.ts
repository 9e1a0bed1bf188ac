import { ROOT_CONTEXT, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api';
import type { Attributes, Context, HrTime, Link, SpanContext, Tracer } from '@opentelemetry/api';
import type { EventName, SpanName } from '../../schemas/span-names.ts';
import { SPAN_NAMES } from '../../schemas/span-names.ts';
import { NS_PER_SECOND } from '../../schemas/units.ts';

/** Something that happened at an instant within a span. */
export interface EventDraft {
  readonly name: EventName;
  readonly atUtcNs: bigint;
  readonly attributes?: Attributes;
}

/** A span that is over, with those within it, before it has ids. */
export interface SpanDraft {
  readonly name: SpanName;
  readonly startUtcNs: bigint;
  readonly endUtcNs: bigint;
  readonly attributes: Attributes;
  /** Code and text of what failed. Absent if nothing did. */
  readonly error?: { readonly code: string; readonly message: string };
  readonly events?: readonly EventDraft[];
  readonly children?: readonly SpanDraft[];
}

const KINDS = {
  internal: SpanKind.INTERNAL,
  producer: SpanKind.PRODUCER,
  consumer: SpanKind.CONSUMER,
  client: SpanKind.CLIENT,
} as const;

/** The kind of the spans of a name. */
export function kindOf(name: SpanName): SpanKind {
  return KINDS[SPAN_NAMES[name].kind];
}

/** An instant as the SDK takes it without losing digits: seconds and nanoseconds. */
export function toHrTime(utcNs: bigint): HrTime {
  return [Number(utcNs / NS_PER_SECOND), Number(utcNs % NS_PER_SECOND)];
}

/**
 * Gives a span and all within it to the SDK, which chooses the ids.
 *
 * @param origin the span that it is a child of, or spans that it is only linked to. Absent: a new
 * trace.
 * @returns the ids of the outermost span.
 */
export function emitSpans(
  tracer: Tracer,
  draft: SpanDraft,
  origin: { parent?: SpanContext; links?: readonly SpanContext[] } = {},
): SpanContext {
  const { parent, links = [] } = origin;
  const context = parent === undefined ? ROOT_CONTEXT : trace.setSpanContext(ROOT_CONTEXT, parent);
  return emit(
    tracer,
    draft,
    context,
    links.map((linked) => ({ context: linked })),
  );
}

function emit(tracer: Tracer, draft: SpanDraft, context: Context, links: Link[]): SpanContext {
  const { name, error, events = [], children = [] } = draft;
  const span = tracer.startSpan(
    name,
    {
      kind: kindOf(name),
      startTime: toHrTime(draft.startUtcNs),
      attributes: { ...draft.attributes, ...errorAttribute(error) },
      links,
    },
    context,
  );
  for (const { name: event, atUtcNs, attributes } of events) {
    span.addEvent(event, attributes ?? {}, toHrTime(atUtcNs));
  }
  if (error !== undefined) span.setStatus({ code: SpanStatusCode.ERROR, message: error.message });
  const own = trace.setSpan(context, span);
  for (const child of children) emit(tracer, child, own, []);
  span.end(toHrTime(draft.endUtcNs));
  return span.spanContext();
}

/** The attribute that says how something failed, if it did. */
export function errorAttribute(error: { readonly code: string } | undefined): Attributes {
  return error === undefined ? {} : { 'error.type': error.code };
}
