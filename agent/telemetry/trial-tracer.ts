import type { SpanContext, Tracer } from '@opentelemetry/api';
import { readTraceParent } from '../../telemetry/sdk/trace-headers.ts';
import { emitSpans } from '../../telemetry/sdk/span-tree.ts';
import type { TracedTrial, TraceHeaders } from '../device-telemetry.ts';
import { trialSpans } from './trial-spans.ts';

/** Tells the spans of a device's trials, and which trial log records belong to. */
export class TrialTracer {
  readonly #tracer: Tracer;
  #current: SpanContext | undefined;

  constructor(tracer: Tracer) {
    this.#tracer = tracer;
  }

  /**
   * The coordinator's span of the trial that is going. Absent between trials. The device's own span
   * has no id before its end, when its instants in UTC are known.
   */
  get current(): SpanContext | undefined {
    return this.#current;
  }

  /** A trial begins that was asked for with these headers. */
  enter(headers: TraceHeaders): void {
    this.#current = readTraceParent(headers)?.spanContext;
  }

  /** No trial is going any more. */
  leave(): void {
    this.#current = undefined;
  }

  /** Tells the spans of a trial that is over; its device's span is what the headers asked for. */
  trace(trial: TracedTrial): void {
    const parent = readTraceParent(trial.headers);
    const draft = trialSpans(trial);
    if (parent === undefined) emitSpans(this.#tracer, draft);
    else if (parent.relation === 'child') {
      emitSpans(this.#tracer, draft, { parent: parent.spanContext });
    } else emitSpans(this.#tracer, draft, { links: [parent.spanContext] });
  }
}
