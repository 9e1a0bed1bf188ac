import { LockstepError } from '../../schemas/errors.ts';
import { WIRE_TYPES } from './wire-format.ts';
import type { WireType } from './wire-format.ts';

const VARINT_BYTES_MAX = 10;
const KNOWN_WIRE_TYPES = new Set<number>(Object.values(WIRE_TYPES));
const FIELD_MAX = 536_870_911;
const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** An error for bytes that are no message of the kind expected. */
export function damaged(what: string): LockstepError {
  return new LockstepError('MESSAGE_INVALID', `OTLP: ${what}`, {
    hint: 'The bytes are damaged, or are not protobuf.',
  });
}

/**
 * Reads the fields of one protobuf message in their order. Every method throws LockstepError
 * MESSAGE_INVALID where the bytes end too early or are no such value, and moves on otherwise.
 */
export class WireReader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #end: number;
  #at: number;

  constructor(bytes: Uint8Array, from = 0, end: number = bytes.length) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    this.#at = from;
    this.#end = end;
  }

  /** True after the last field. */
  get isAtEnd(): boolean {
    return this.#at >= this.#end;
  }

  /** Reads the start of a field. */
  readTag(): { field: number; wireType: WireType } {
    const tag = Number(this.readVarint());
    const wireType = tag % 8;
    const field = (tag - wireType) / 8;
    if (field < 1 || field > FIELD_MAX) throw damaged(`a field has the number ${field}`);
    if (!KNOWN_WIRE_TYPES.has(wireType)) throw damaged(`field ${field} has wire type ${wireType}`);
    return { field, wireType: wireType as WireType };
  }

  /** Reads a varint as 64 bits without sign. */
  readVarint(): bigint {
    let low = 0;
    // Most values are small; up to 28 bits no bigint is needed on the way.
    for (let shift = 0; shift < 28; shift += 7) {
      const byte = this.#readByte();
      low |= (byte & 0x7f) << shift;
      if (byte < 0x80) return BigInt(low);
    }
    let value = BigInt(low);
    for (let count = 4; count < VARINT_BYTES_MAX; count += 1) {
      const byte = this.#readByte();
      value |= BigInt(byte & 0x7f) << BigInt(count * 7);
      if (byte < 0x80) return BigInt.asUintN(64, value);
    }
    throw damaged(`a number takes more than ${VARINT_BYTES_MAX} bytes`);
  }

  readFixed32(): number {
    return this.#view.getUint32(this.#take(4), true);
  }

  /** Reads 64 bits without sign. */
  readFixed64(): bigint {
    return this.#view.getBigUint64(this.#take(8), true);
  }

  readDouble(): number {
    return this.#view.getFloat64(this.#take(8), true);
  }

  /** Reads a text. */
  readText(): string {
    try {
      return UTF8.decode(this.readBytes());
    } catch (error) {
      if (error instanceof LockstepError) throw error;
      throw damaged('a text is not UTF-8');
    }
  }

  /** Reads a field of some length as a view of the bytes. */
  readBytes(): Uint8Array {
    const length = this.#readLength();
    const from = this.#take(length);
    return this.#bytes.subarray(from, from + length);
  }

  /** Reads a field of some length as fields, or as packed values. */
  readNested(): WireReader {
    const length = this.#readLength();
    const from = this.#take(length);
    return new WireReader(this.#bytes, from, from + length);
  }

  /** Passes over a value. */
  skip(wireType: WireType): void {
    if (wireType === WIRE_TYPES.varint) this.readVarint();
    else if (wireType === WIRE_TYPES.fixed64) this.#take(8);
    else if (wireType === WIRE_TYPES.fixed32) this.#take(4);
    else this.#take(this.#readLength());
  }

  #readLength(): number {
    const length = this.readVarint();
    const left = this.#end - this.#at;
    if (length > BigInt(left)) throw damaged(`a field of ${length} bytes has ${left} left`);
    return Number(length);
  }

  #readByte(): number {
    return this.#bytes[this.#take(1)] ?? 0;
  }

  #take(length: number): number {
    const from = this.#at;
    if (from + length > this.#end) throw damaged('the bytes end within a value');
    this.#at = from + length;
    return from;
  }
}
