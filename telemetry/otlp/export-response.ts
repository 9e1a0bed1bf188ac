import { z } from 'zod';
import type { Signal } from '../payload.ts';
import { decodeMessage } from './decode-message.ts';
import type { JsonMessage } from './decode-message.ts';
import { damaged } from './wire-reader.ts';

/** What an endpoint says of a request that it took. */
export interface PartialSuccess {
  /** Items that it refused. */
  readonly rejected: number;
  /** Why, or a warning. Empty if it says nothing. */
  readonly message: string;
}

/** What an endpoint says of a request that it did not take. */
export interface RemoteStatus {
  /** Empty if it says nothing. */
  readonly message: string;
  /** After how long it wants to be asked again. Absent if it does not say. */
  readonly retryAfterMs?: number;
}

const RESPONSES = {
  traces: 'ExportTraceServiceResponse',
  metrics: 'ExportMetricsServiceResponse',
  logs: 'ExportLogsServiceResponse',
} as const;

const RETRY_INFO = 'google.rpc.RetryInfo';

const Count = z.union([z.number(), z.string().regex(/^-?\d+$/)]).transform(Number);
const Text = z.string().nullish();
const Partial = z.object({
  rejectedSpans: Count.nullish(),
  rejectedDataPoints: Count.nullish(),
  rejectedLogRecords: Count.nullish(),
  errorMessage: Text,
});
const Response = z.object({ partialSuccess: Partial.nullish() });
const Duration = z.object({ seconds: Count.optional(), nanos: z.number().optional() });
const RetryInfo = z.object({ retryDelay: Duration.optional() });
const Status = z.object({
  message: Text,
  details: z
    .array(z.object({ typeUrl: z.string().default(''), value: z.string().optional() }))
    .optional(),
});

/**
 * Reads the answer to an export request, protobuf.
 *
 * @throws LockstepError MESSAGE_INVALID if the bytes are no such answer.
 */
export function decodeResponse(signal: Signal, bytes: Uint8Array): PartialSuccess {
  return partialSuccessOf(decodeMessage(RESPONSES[signal], bytes));
}

/**
 * Reads the answer to an export request, OTLP/JSON.
 *
 * @throws LockstepError MESSAGE_INVALID if the text is no such answer.
 */
export function parseResponse(text: string): PartialSuccess {
  return partialSuccessOf(parseJson(text));
}

/**
 * Reads a google.rpc.Status, protobuf: the body of a refusal over HTTP, and the details over gRPC.
 *
 * @throws LockstepError MESSAGE_INVALID if the bytes are no status.
 */
export function decodeStatus(bytes: Uint8Array): RemoteStatus {
  const status = Status.parse(decodeMessage('Status', bytes));
  const retry = status.details?.find(({ typeUrl }) => typeUrl.endsWith(`/${RETRY_INFO}`));
  const message = status.message ?? '';
  if (retry === undefined) return { message };
  const info: JsonMessage = decodeMessage('RetryInfo', Buffer.from(retry.value ?? '', 'base64'));
  const { seconds = 0, nanos = 0 } = RetryInfo.parse(info).retryDelay ?? {};
  return { message, retryAfterMs: Math.max(0, seconds * 1000 + Math.ceil(nanos / 1e6)) };
}

function partialSuccessOf(value: unknown): PartialSuccess {
  const parsed = Response.safeParse(value);
  if (!parsed.success) throw damaged('an answer has another shape than the protocol says');
  const partial = parsed.data.partialSuccess ?? {};
  const counts = [partial.rejectedSpans, partial.rejectedDataPoints, partial.rejectedLogRecords];
  const rejected = counts.find((count) => typeof count === 'number') ?? 0;
  return { rejected: Math.max(0, rejected), message: partial.errorMessage ?? '' };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    throw damaged('an answer is no JSON');
  }
}
