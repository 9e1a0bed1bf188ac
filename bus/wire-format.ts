import type { z } from 'zod';
import { errorMessageOf, LockstepError } from '../schemas/errors.ts';
import { decodeMessage, encodeMessage } from '../schemas/protocol.ts';

/**
 * Upper bound of one message, bytes. The embedded server's `max_payload` is a little above it, for
 * headers; a server that allows less lowers the bound to its own.
 */
export const MAX_MESSAGE_BYTES = 4 * 1024 * 1024;

const textEncoder = new TextEncoder();
const textDecoder = new TextDecoder('utf-8', { fatal: true });

/** A message without the field that {@link encodeToBytes} adds. */
export type MessageOf<S extends z.ZodType> = DistributiveOmit<z.output<S>, 'protocol'>;

// Omit on a union would drop the fields that not every member has.
type DistributiveOmit<T, K extends PropertyKey> = T extends unknown ? Omit<T, K> : never;

/**
 * A message as the bytes that go on the wire and to disk: JSON in UTF-8, with the protocol version.
 *
 * @throws LockstepError MESSAGE_INVALID if it is over {@link MAX_MESSAGE_BYTES}.
 */
export function encodeToBytes<S extends z.ZodType>(schema: S, message: MessageOf<S>): Uint8Array {
  const wireValue = encodeMessage(schema, message as Omit<z.output<S>, 'protocol'>);
  const bytes = textEncoder.encode(JSON.stringify(wireValue));
  checkMessageSize(bytes.byteLength, MAX_MESSAGE_BYTES);
  return bytes;
}

/**
 * Decodes and checks bytes from the wire or from disk.
 *
 * @throws LockstepError PROTOCOL_UNSUPPORTED if the sender speaks a version not read here.
 * @throws LockstepError MESSAGE_INVALID if it is too big, not JSON, or of another shape.
 */
export function decodeFromBytes<S extends z.ZodType>(
  schema: S,
  bytes: Uint8Array,
  from: string,
): z.output<S> {
  checkMessageSize(bytes.byteLength, MAX_MESSAGE_BYTES);
  return decodeMessage(schema, parseJson(bytes, from), from);
}

/** @throws LockstepError MESSAGE_INVALID if a message of this size, bytes, is over the bound. */
export function checkMessageSize(sizeBytes: number, maxBytes: number): void {
  if (sizeBytes <= maxBytes) return;
  throw new LockstepError(
    'MESSAGE_INVALID',
    `message of ${sizeBytes} bytes is over the bound of ${maxBytes} bytes`,
    { hint: 'Send less in one message, e.g. fewer samples per trial.' },
  );
}

function parseJson(bytes: Uint8Array, from: string): unknown {
  try {
    return JSON.parse(textDecoder.decode(bytes));
  } catch (error) {
    throw new LockstepError(
      'MESSAGE_INVALID',
      `message from ${from} is not JSON: ${errorMessageOf(error)}`,
      { cause: error },
    );
  }
}
