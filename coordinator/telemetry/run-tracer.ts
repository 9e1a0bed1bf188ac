import { ROOT_CONTEXT, SpanStatusCode, trace } from '@opentelemetry/api';
import type { Attributes, Context, Span, SpanContext, Tracer } from '@opentelemetry/api';
import type { MessageHeaders } from '../../bus/message-headers.ts';
import { errorCodeOf, errorMessageOf } from '../../schemas/errors.ts';
import type { PlannedTrial } from '../../schemas/plan.ts';
import type { TrialResult } from '../../schemas/result.ts';
import type { EventName, SpanName } from '../../schemas/span-names.ts';
import { emitSpans, errorAttribute, kindOf, toHrTime } from '../../telemetry/sdk/span-tree.ts';
import { traceHeaders } from '../../telemetry/sdk/trace-headers.ts';
import type { FleetReading, UtcLine } from './utc-line.ts';

/** With more devices than these, each has a trace of its own that is linked to the trial's. */
export const CHILD_DEVICES_MAX = 50;

/** Links of one span. */
const LINKS_MAX = 128;

/** Trials that a run's trace is linked to, at most: the first ones. */
const LINKED_TRIALS_MAX = 8192;

/** Where the spans of a coordinator go, and its line of time. */
export interface Tracing {
  readonly tracer: Tracer;
  readonly line: UtcLine;
  /** Told when a trial begins and ends that nothing may be exported during. */
  readonly onQuiet: (isQuiet: boolean) => void;
}

/** What is known of a run when it begins. */
export interface TracedRun {
  readonly runId: string;
  readonly experiment: string;
  readonly devices: number;
  /** True if what is exported may be sent while trials go. */
  readonly isLive: boolean;
}

/** Where the results of a run are told as they are recorded. */
export interface ResultSource {
  watch(watcher: {
    onResult(result: TrialResult): void;
    onFailure(error: unknown): void;
  }): () => void;
}

/** One trial while it goes. */
export interface TrialTrace {
  /** What the commands of the trial carry, so that devices go on with its trace. */
  readonly headers: MessageHeaders;
  /** Does a part of the trial as a span of its own. */
  readonly step: <T>(name: SpanName, work: () => Promise<T>) => Promise<T>;
}

/** Makes the spans of one run: one trace per trial, and one at the end that is linked to them. */
export class RunTracer {
  readonly #tracer: Tracer;
  readonly #line: UtcLine;
  readonly #onQuiet: Tracing['onQuiet'];
  readonly #run: TracedRun;
  readonly #startMonoNs: bigint;
  readonly #trials: SpanContext[] = [];
  #trialCount = 0;
  /** The same for all instants of a trial, so that its spans stay within each other. */
  #utcMinusMonoNs: bigint;

  constructor(run: TracedRun, { tracer, line, onQuiet }: Tracing) {
    this.#tracer = tracer;
    this.#line = line;
    this.#onQuiet = run.isLive ? () => undefined : onQuiet;
    this.#run = run;
    this.#startMonoNs = line.nowMonoNs();
    this.#utcMinusMonoNs = line.utcMinusMonoNs();
  }

  /** UTC, as the spans of the trial that is going have it, minus fleet time, ns. */
  utcMinusFleetNs(reading: FleetReading): bigint {
    return this.#utcMinusMonoNs - this.#line.fleetMinusMonoNs(reading);
  }

  /**
   * Does a trial within a span. What the coordinator recorded in place of a device is an event of
   * it; it is an error if a result is, if there is none, or if the work throws.
   */
  async traceTrial<R extends readonly TrialResult[] | undefined>(
    trial: PlannedTrial,
    results: ResultSource,
    work: (traced: TrialTrace) => Promise<R>,
  ): Promise<R> {
    this.#utcMinusMonoNs = this.#line.utcMinusMonoNs();
    const span = this.#startTrial(trial);
    const stopWatching = results.watch({
      onResult: (result) => {
        const isOfTrial = result.runId === this.#run.runId && result.trialId === trial.trialId;
        if (isOfTrial && result.reportedBy === 'coordinator') this.#noteStandIn(span, result);
      },
      onFailure: () => undefined,
    });
    this.#onQuiet(true);
    try {
      const reported = await work(this.#traceOf(span));
      const failed = reported?.find(({ status }) => status === 'failed')?.failure;
      if (reported === undefined) fail(span, { code: 'CANCELLED', message: 'cancelled' });
      else if (failed !== undefined) fail(span, failed);
      return reported;
    } catch (error) {
      fail(span, toError(error));
      throw error;
    } finally {
      stopWatching();
      span.end(this.#now());
      this.#onQuiet(false);
    }
  }

  /** Does all of a run, and tells the trace of it at its end. */
  async traceRun(work: () => Promise<void>): Promise<void> {
    try {
      await work();
      this.#tellRun(undefined);
    } catch (error) {
      this.#tellRun(toError(error));
      throw error;
    }
  }

  #startTrial(trial: PlannedTrial): Span {
    const { cell } = trial;
    const span = this.#start('dispatch trial', ROOT_CONTEXT, {
      'messaging.system.name': 'nats',
      'messaging.operation.type': 'send',
      ...this.#runAttributes(),
      'lockstep.trial.id': trial.trialId,
      'lockstep.cell.id': cell.id,
      'lockstep.sandbox.kind': cell.sandbox,
      'lockstep.function': cell.function,
    });
    this.#trialCount += 1;
    const own = span.spanContext();
    if (this.#trials.length < LINKED_TRIALS_MAX && trace.isSpanContextValid(own)) {
      this.#trials.push(own);
    }
    return span;
  }

  #traceOf(parent: Span): TrialTrace {
    const relation = this.#run.devices > CHILD_DEVICES_MAX ? 'link' : 'child';
    const context = trace.setSpan(ROOT_CONTEXT, parent);
    return {
      headers: traceHeaders(parent.spanContext(), relation),
      step: async (name, work) => {
        const span = this.#start(name, context, { 'lockstep.run.id': this.#run.runId });
        try {
          return await work();
        } catch (error) {
          fail(span, toError(error));
          throw error;
        } finally {
          span.end(this.#now());
        }
      },
    };
  }

  #start(name: SpanName, context: Context, attributes: Attributes): Span {
    const options = { kind: kindOf(name), startTime: this.#now(), attributes };
    return this.#tracer.startSpan(name, options, context);
  }

  // Shown like an exception by what shows traces, which an event of another name is not.
  #noteStandIn(span: Span, { deviceId, failure }: TrialResult): void {
    const attributes = {
      'exception.type': failure?.code ?? 'INTERNAL',
      'exception.message': failure?.message ?? '',
      'device.id': deviceId,
    };
    span.addEvent('exception' satisfies EventName, attributes, this.#now());
  }

  #tellRun(error: { readonly code: string; readonly message: string } | undefined): void {
    const attributes = { ...this.#runAttributes(), 'lockstep.trials': this.#trialCount };
    const span = {
      startUtcNs: this.#startMonoNs + this.#utcMinusMonoNs,
      endUtcNs: this.#line.nowMonoNs() + this.#utcMinusMonoNs,
      attributes,
    };
    const first = this.#trials.slice(0, LINKS_MAX);
    const failure = error === undefined ? {} : { error };
    const run = { name: 'run', ...span, ...failure } as const;
    const parent = emitSpans(this.#tracer, run, { links: first });
    for (let begin = LINKS_MAX; begin < this.#trials.length; begin += LINKS_MAX) {
      const links = this.#trials.slice(begin, begin + LINKS_MAX);
      emitSpans(this.#tracer, { name: 'run trials', ...span }, { parent, links });
    }
  }

  #runAttributes(): Attributes {
    return {
      'lockstep.run.id': this.#run.runId,
      'lockstep.experiment.name': this.#run.experiment,
      'lockstep.devices': this.#run.devices,
    };
  }

  #now(): [number, number] {
    return toHrTime(this.#line.nowMonoNs() + this.#utcMinusMonoNs);
  }
}

function fail(span: Span, error: { readonly code: string; readonly message: string }): void {
  span.setAttributes(errorAttribute(error));
  span.setStatus({ code: SpanStatusCode.ERROR, message: error.message });
}

function toError(error: unknown): { code: string; message: string } {
  return { code: errorCodeOf(error), message: errorMessageOf(error) };
}
