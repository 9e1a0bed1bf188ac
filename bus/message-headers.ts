import { headers } from 'nats';
import type { MsgHdrs } from 'nats';

/** Headers of a message, one value per name. Names differ by case. */
export type MessageHeaders = Readonly<Record<string, string>>;

/** Headers of a received message that are looked at, at most, and characters of a value. */
const NAMES_MAX = 32;
const VALUE_CHARACTERS_MAX = 1024;

/** Headers as the client library takes them; `undefined` if there are none. */
export function encodeHeaders(values: MessageHeaders | undefined): MsgHdrs | undefined {
  const entries = Object.entries(values ?? {});
  if (entries.length === 0) return undefined;
  const encoded = headers();
  for (const [name, value] of entries) encoded.set(name, value);
  return encoded;
}

/** The first value of each header of a received message; overlong ones are left out. */
export function decodeHeaders(received: MsgHdrs | undefined): MessageHeaders {
  if (received === undefined) return {};
  const names = received.keys().slice(0, NAMES_MAX);
  const entries = names.map((name) => [name, received.get(name)] as const);
  return Object.fromEntries(entries.filter(([, value]) => value.length <= VALUE_CHARACTERS_MAX));
}
