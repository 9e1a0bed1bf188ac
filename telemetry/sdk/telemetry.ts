import type { Logger, Meter, Tracer } from '@opentelemetry/api';
import type { PayloadSink, Signal } from '../payload.ts';

/** What telemetry is started with. */
export interface TelemetryOptions {
  readonly service: 'lockstep-agent' | 'lockstep-coordinator';
  /** Attributes of the resource beside service.name; exactly these are exported. */
  readonly resource: Readonly<Record<string, string>>;
  /** Takes everything; nothing is sent anywhere else. */
  readonly sink: PayloadSink;
  /** The variables of the process; OTEL_SDK_DISABLED=true turns everything off. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** False while nothing may be encoded or sent, as a trial is going. Absent: always true. */
  readonly mayExport?: () => boolean;
  /** How often health is told, ms. Absent: 15 s. */
  readonly healthEveryMs?: number;
}

/** The running SDK of one service. */
export interface Telemetry {
  /** False if it was turned off: everything below does nothing then. */
  readonly isOn: boolean;
  readonly tracer: Tracer;
  readonly meter: Meter;
  /** Takes log records; absent if it was turned off. */
  readonly logs: Logger | undefined;
  /** Spans, points and log records that were dropped or not taken by the sink, so far. */
  lost(): Readonly<Record<Signal, number>>;
  /** It may be exported again: what waited for that goes to the sink now. */
  nudge(): void;
  /** Gives what waits to the sink now; resolves when that is done or the time is over. */
  flush(timeoutMs: number): Promise<void>;
  /** Flushes and ends; resolves within 5 s whatever the sink does. Safe to repeat. */
  shutdown(): Promise<void>;
}
