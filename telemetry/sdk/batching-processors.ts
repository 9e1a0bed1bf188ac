import { ProtobufLogsSerializer, ProtobufTraceSerializer } from '@opentelemetry/otlp-transformer';
import type { LogRecordProcessor, ReadableLogRecord } from '@opentelemetry/sdk-logs';
import type { ReadableSpan, SpanProcessor } from '@opentelemetry/sdk-trace';
import { PayloadBatches } from './payload-batches.ts';
import type { BatchOptions } from './payload-batches.ts';

/** Where the SDK's parts write, and when. */
export type ExportOptions = Pick<BatchOptions<unknown>, 'sink' | 'mayExport'>;

/** A processor that counts what it could not keep. */
export interface Batching {
  readonly lost: number;
  readonly pending: number;
  /** Gives what waits to the sink now, if it may. */
  nudge(): void;
  /** Gives what waits to the sink; resolves when that is done or the time is over. */
  flush(timeoutMs: number): Promise<void>;
  /** The same, and takes no more from then on. */
  close(timeoutMs: number): Promise<void>;
}

/** Time of a flush that the SDK itself asks for, ms. */
const SDK_FLUSH_MS = 4000;

/**
 * Puts ended spans into payloads for the sink. The SDK's own batch processor keeps 2048 and loses
 * the rest of a burst without a word; this one keeps more and counts.
 */
export function batchSpans(options: ExportOptions): SpanProcessor & Batching {
  const batches = new PayloadBatches<ReadableSpan>({
    ...options,
    signal: 'traces',
    encode: (spans) => ProtobufTraceSerializer.serializeRequest(spans),
  });
  return {
    ...batching(batches),
    get lost() {
      return batches.lost;
    },
    get pending() {
      return batches.pending;
    },
    onStart: () => undefined,
    onEnd: (span) => {
      batches.add(span);
    },
  };
}

/** Puts log records into payloads for the sink, as {@link batchSpans} does with spans. */
export function batchLogs(options: ExportOptions): LogRecordProcessor & Batching {
  const batches = new PayloadBatches<ReadableLogRecord>({
    ...options,
    signal: 'logs',
    encode: (records) => ProtobufLogsSerializer.serializeRequest(records),
  });
  return {
    ...batching(batches),
    get lost() {
      return batches.lost;
    },
    get pending() {
      return batches.pending;
    },
    onEmit: (record) => {
      batches.add(record);
    },
  };
}

function batching<Item>(batches: PayloadBatches<Item>) {
  return {
    nudge: () => {
      batches.nudge();
    },
    flush: (timeoutMs: number) => batches.flush(timeoutMs),
    close: (timeoutMs: number) => batches.close(timeoutMs),
    forceFlush: () => batches.flush(SDK_FLUSH_MS),
    shutdown: () => batches.close(SDK_FLUSH_MS),
  };
}
