/** How the values of a field are laid out. https://protobuf.dev/programming-guides/encoding/ */
export const WIRE_TYPES = { varint: 0, fixed64: 1, lengthDelimited: 2, fixed32: 5 } as const;
export type WireType = (typeof WIRE_TYPES)[keyof typeof WIRE_TYPES];

const VARINT_MORE = 0x80;

/** Bytes that a number takes as a varint. */
export function varintLength(value: number): number {
  let length = 1;
  for (let rest = value; rest >= VARINT_MORE; rest = Math.floor(rest / VARINT_MORE)) length += 1;
  return length;
}

/**
 * Writes a varint, and returns the place after it.
 *
 * @param value A whole number from 0 to 2^53.
 */
export function writeVarint(bytes: Uint8Array, at: number, value: number): number {
  let rest = value;
  let next = at;
  while (rest >= VARINT_MORE) {
    bytes[next++] = (rest % VARINT_MORE) | VARINT_MORE;
    rest = Math.floor(rest / VARINT_MORE);
  }
  bytes[next++] = rest;
  return next;
}

/** What precedes the value of a field. */
export function tagOf(field: number, wireType: WireType): number {
  return field * 8 + wireType;
}

/** The start of a field of `length` bytes. */
export function encodeLengthPrefix(field: number, length: number): Uint8Array {
  const tag = tagOf(field, WIRE_TYPES.lengthDelimited);
  const bytes = new Uint8Array(varintLength(tag) + varintLength(length));
  writeVarint(bytes, writeVarint(bytes, 0, tag), length);
  return bytes;
}

/** A field that holds a message of these parts. */
export function encodeMessage(field: number, ...parts: readonly Uint8Array[]): Uint8Array {
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  return Buffer.concat([encodeLengthPrefix(field, length), ...parts]);
}

/** A field that holds a text. */
export function encodeText(field: number, text: string): Uint8Array {
  return encodeMessage(field, Buffer.from(text, 'utf8'));
}

/** A field that holds a whole number, a truth value or a member of an enumeration. */
export function encodeNumber(field: number, value: number): Uint8Array {
  const tag = tagOf(field, WIRE_TYPES.varint);
  const bytes = new Uint8Array(varintLength(tag) + varintLength(value));
  writeVarint(bytes, writeVarint(bytes, 0, tag), value);
  return bytes;
}

/** A field that holds 64 bits, as nanoseconds and doubles take. */
export function encodeFixed64(field: number, value: bigint): Uint8Array {
  const tag = tagOf(field, WIRE_TYPES.fixed64);
  const bytes = new Uint8Array(varintLength(tag) + 8);
  const at = writeVarint(bytes, 0, tag);
  new DataView(bytes.buffer).setBigInt64(at, value, true);
  return bytes;
}

/** A field that holds a whole number of 64 bits with sign. */
export function encodeInt64(field: number, value: bigint): Uint8Array {
  const bytes = [...encodeNumber(field, 0).subarray(0, -1)];
  let rest = BigInt.asUintN(64, value);
  for (; rest >= 0x80n; rest >>= 7n) bytes.push(Number(rest & 0x7fn) | VARINT_MORE);
  bytes.push(Number(rest));
  return Uint8Array.from(bytes);
}

/** A field that holds 32 bits. */
export function encodeFixed32(field: number, value: number): Uint8Array {
  const tag = tagOf(field, WIRE_TYPES.fixed32);
  const bytes = new Uint8Array(varintLength(tag) + 4);
  const at = writeVarint(bytes, 0, tag);
  new DataView(bytes.buffer).setUint32(at, value, true);
  return bytes;
}
