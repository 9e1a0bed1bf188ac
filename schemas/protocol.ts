import { z } from 'zod';
import { LockstepError } from './errors.ts';

/** The protocol version that this release writes into every message. */
export const PROTOCOL_VERSION = 1;

/** The protocol versions that this release reads: its own, and the one before if there is one. */
export const PROTOCOL_VERSIONS_READ: readonly number[] = [1];

/** The field that every message carries; see {@link decodeMessage}. */
export const protocolField = {
  protocol: z.int().min(1).meta({ description: 'Protocol version of the sender.' }),
};

/**
 * Checks and decodes a message from the wire. Unknown fields are dropped, so that a newer release
 * may add some without breaking this one.
 *
 * @throws LockstepError PROTOCOL_UNSUPPORTED if the sender speaks a version not read here.
 * @throws LockstepError MESSAGE_INVALID if the value does not have the schema's shape.
 */
export function decodeMessage<S extends z.ZodType>(
  schema: S,
  value: unknown,
  from: string,
): z.output<S> {
  const version = protocolOf(value);
  if (version !== undefined && !PROTOCOL_VERSIONS_READ.includes(version)) {
    throw new LockstepError(
      'PROTOCOL_UNSUPPORTED',
      `${from} speaks protocol version ${version}; this release reads ` +
        PROTOCOL_VERSIONS_READ.join(', '),
      { hint: 'Upgrade the older of the two so that they are at most one release apart.' },
    );
  }
  const parsed = schema.safeDecode(value as z.input<S>);
  if (parsed.success) return parsed.data;
  throw new LockstepError(
    'MESSAGE_INVALID',
    `invalid message from ${from}: ${z.prettifyError(parsed.error).slice(0, 1000)}`,
  );
}

/** Encodes a message for the wire, adding the protocol version. */
export function encodeMessage<S extends z.ZodType>(
  schema: S,
  message: Omit<z.output<S>, 'protocol'>,
): z.input<S> {
  return schema.encode({ protocol: PROTOCOL_VERSION, ...message } as z.output<S>);
}

function protocolOf(value: unknown): number | undefined {
  if (typeof value !== 'object' || value === null || !('protocol' in value)) return undefined;
  return typeof value.protocol === 'number' ? value.protocol : undefined;
}
