import type { Signal } from '../payload.ts';
import { decodeMessage } from './decode-message.ts';
import type { JsonMessage } from './decode-message.ts';
import { WIRE_TYPES } from './wire-format.ts';
import { WireReader } from './wire-reader.ts';

const REQUESTS = {
  traces: 'ExportTraceServiceRequest',
  metrics: 'ExportMetricsServiceRequest',
  logs: 'ExportLogsServiceRequest',
} as const;

/** Fields that lead from a request to its items: resources, scopes, items; points of any kind. */
const ITEM_PATHS: Readonly<Record<Signal, readonly (readonly number[])[]>> = {
  traces: [[1], [2], [2]],
  metrics: [[1], [2], [2], [5, 7, 9, 10, 11], [1]],
  logs: [[1], [2], [2]],
};

/**
 * Decodes an export request into what OTLP/JSON has for it; see decodeMessage.
 *
 * @throws LockstepError MESSAGE_INVALID if the bytes are no such request.
 */
export function decodeRequest(signal: Signal, bytes: Uint8Array): JsonMessage {
  return decodeMessage(REQUESTS[signal], bytes);
}

/**
 * Transcodes an export request, protobuf without compression, into OTLP/JSON.
 *
 * @throws LockstepError MESSAGE_INVALID if the bytes are no such request.
 */
export function transcodeToJson(signal: Signal, bytes: Uint8Array): Uint8Array {
  return Buffer.from(JSON.stringify(decodeRequest(signal, bytes)));
}

/**
 * Counts the spans, points or log records of an export request, protobuf without compression,
 * without decoding them.
 *
 * @throws LockstepError MESSAGE_INVALID if the bytes are damaged on the way to the items.
 */
export function countItems(signal: Signal, bytes: Uint8Array): number {
  return countAt(new WireReader(bytes), ITEM_PATHS[signal]);
}

function countAt(reader: WireReader, [fields = [], ...rest]: readonly (readonly number[])[]) {
  let count = 0;
  while (!reader.isAtEnd) {
    const { field, wireType } = reader.readTag();
    const isOnTheWay = fields.includes(field) && wireType === WIRE_TYPES.lengthDelimited;
    if (isOnTheWay && rest.length > 0) count += countAt(reader.readNested(), rest);
    else {
      reader.skip(wireType);
      if (isOnTheWay) count += 1;
    }
  }
  return count;
}
