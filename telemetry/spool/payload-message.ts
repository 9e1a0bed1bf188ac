import { telemetrySubject } from '../../schemas/subjects.ts';
import { SIGNALS } from '../payload.ts';
import type { Payload } from '../payload.ts';

/** A payload as a message of a stream: the bytes are those of the payload. */
export interface PayloadMessage {
  readonly subject: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly data: Uint8Array;
}

const ITEMS_HEADER = 'Lockstep-Items';
const ITEMS = /^\d{1,10}$/;

/** The message of a payload, under a user's name. */
export function messageOfPayload({ signal, items, bytes }: Payload, user: string): PayloadMessage {
  return {
    subject: telemetrySubject(signal, user),
    headers: { [ITEMS_HEADER]: String(items) },
    data: bytes,
  };
}

/** The payload of a message. Undefined if it is none: of no known signal, or without its count. */
export function payloadOfMessage({ subject, headers, data }: PayloadMessage): Payload | undefined {
  const [, , token] = subject.split('.');
  const signal = SIGNALS.find((known) => known === token);
  const items = headers[ITEMS_HEADER] ?? '';
  if (signal === undefined || !ITEMS.test(items)) return undefined;
  return { signal, items: Number(items), bytes: data };
}
