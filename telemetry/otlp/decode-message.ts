import { MESSAGE_SHAPES } from './message-shapes.ts';
import type { FieldShape, MessageName, MessageShape, ScalarKind } from './message-shapes.ts';
import { WIRE_TYPES } from './wire-format.ts';
import type { WireType } from './wire-format.ts';
import { damaged, WireReader } from './wire-reader.ts';

/** The largest message that is read. */
export const MESSAGE_BYTES_MAX = 33_554_432;
/** How deep messages may be nested. Those of protobuf stop at 100, too. */
const DEPTH_MAX = 100;
/** How many values a message may have: an empty one takes two bytes, but many more in memory. */
const VALUES_MAX = 2_000_000;

/** A value as JSON has it; whole numbers of 64 bits are strings. */
export type JsonValue = string | number | boolean | JsonMessage | JsonValue[];
/** A message as JSON has it; what the bytes don't hold is absent. */
export interface JsonMessage {
  [name: string]: JsonValue;
}

const SCALAR_WIRE_TYPES: Readonly<Record<ScalarKind, WireType>> = {
  bool: WIRE_TYPES.varint,
  bytes: WIRE_TYPES.lengthDelimited,
  double: WIRE_TYPES.fixed64,
  enum: WIRE_TYPES.varint,
  fixed32: WIRE_TYPES.fixed32,
  fixed64: WIRE_TYPES.fixed64,
  id: WIRE_TYPES.lengthDelimited,
  int32: WIRE_TYPES.varint,
  int64: WIRE_TYPES.varint,
  sfixed64: WIRE_TYPES.fixed64,
  sint32: WIRE_TYPES.varint,
  string: WIRE_TYPES.lengthDelimited,
  uint32: WIRE_TYPES.varint,
  uint64: WIRE_TYPES.varint,
};

/**
 * Decodes a protobuf message into what OTLP/JSON has for it: lowerCamelCase names, ids as
 * hexadecimal, other bytes as base64, whole numbers of 64 bits as strings, members of enumerations
 * as numbers. Fields that are not known are left out.
 *
 * @throws LockstepError MESSAGE_INVALID if the bytes are no such message, or too large or nested.
 * Source: https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding
 */
export function decodeMessage(name: MessageName, bytes: Uint8Array): JsonMessage {
  if (bytes.length > MESSAGE_BYTES_MAX) {
    throw damaged(`${bytes.length} bytes are more than ${MESSAGE_BYTES_MAX}`);
  }
  const message: JsonMessage = {};
  new MessageDecoder().decodeInto(message, MESSAGE_SHAPES[name], new WireReader(bytes));
  return message;
}

class MessageDecoder {
  #values = 0;
  #depth = 0;

  /** Adds the fields to what the message has already: a message in two parts is one. */
  decodeInto(message: JsonMessage, shape: MessageShape, reader: WireReader): void {
    this.#depth += 1;
    if (this.#depth > DEPTH_MAX) throw damaged(`messages are nested more than ${DEPTH_MAX} deep`);
    while (!reader.isAtEnd) {
      const { field, wireType } = reader.readTag();
      const fieldShape = shape.get(field);
      if (fieldShape === undefined) reader.skip(wireType);
      else {
        if (fieldShape.choice !== undefined) dropOthers(message, shape, fieldShape);
        this.#decodeField(message, fieldShape, { reader, wireType });
      }
    }
    this.#depth -= 1;
  }

  #decodeField(
    message: JsonMessage,
    { name, type, isRepeated }: FieldShape,
    { reader, wireType }: { reader: WireReader; wireType: WireType },
  ): void {
    this.#countValue();
    if ('message' in type) {
      if (wireType !== WIRE_TYPES.lengthDelimited) throw damaged(`${name} is no message`);
      const nested = isRepeated ? {} : ((message[name] as JsonMessage | undefined) ?? {});
      this.decodeInto(nested, type.message(), reader.readNested());
      if (isRepeated) listOf(message, name).push(nested);
      else message[name] = nested;
      return;
    }
    const { scalar } = type;
    if (wireType === SCALAR_WIRE_TYPES[scalar]) {
      const value = readScalar(scalar, reader);
      if (isRepeated) listOf(message, name).push(value);
      else message[name] = value;
    } else if (isRepeated && wireType === WIRE_TYPES.lengthDelimited) {
      this.#decodePacked(listOf(message, name), scalar, reader.readNested());
    } else throw damaged(`${name} has wire type ${wireType}`);
  }

  #decodePacked(values: JsonValue[], scalar: ScalarKind, reader: WireReader): void {
    while (!reader.isAtEnd) {
      this.#countValue();
      values.push(readScalar(scalar, reader));
    }
  }

  #countValue(): void {
    this.#values += 1;
    if (this.#values > VALUES_MAX) throw damaged(`a message has more than ${VALUES_MAX} values`);
  }
}

function listOf(message: JsonMessage, name: string): JsonValue[] {
  const list = (message[name] as JsonValue[] | undefined) ?? [];
  message[name] = list;
  return list;
}

function dropOthers(message: JsonMessage, shape: MessageShape, chosen: FieldShape): void {
  for (const { name, choice } of shape.values()) {
    if (choice !== chosen.choice || name === chosen.name || !(name in message)) continue;
    Reflect.deleteProperty(message, name);
  }
}

function readScalar(kind: ScalarKind, reader: WireReader): JsonValue {
  switch (kind) {
    case 'bool':
      return reader.readVarint() !== 0n;
    case 'bytes':
      return Buffer.from(reader.readBytes()).toString('base64');
    case 'double':
      return jsonNumber(reader.readDouble());
    case 'enum':
    case 'int32':
      return Number(BigInt.asIntN(32, reader.readVarint()));
    case 'fixed32':
      return reader.readFixed32();
    case 'fixed64':
      return String(reader.readFixed64());
    case 'id':
      return Buffer.from(reader.readBytes()).toString('hex');
    case 'int64':
      return String(BigInt.asIntN(64, reader.readVarint()));
    case 'sfixed64':
      return String(BigInt.asIntN(64, reader.readFixed64()));
    case 'sint32':
      return decodeZigzag(Number(BigInt.asUintN(32, reader.readVarint())));
    case 'string':
      return reader.readText();
    case 'uint32':
      return Number(BigInt.asUintN(32, reader.readVarint()));
    case 'uint64':
      return String(reader.readVarint());
  }
}

/** Protobuf's JSON has words for the numbers that JSON lacks. */
function jsonNumber(value: number): number | string {
  return Number.isFinite(value) ? value : String(value);
}

function decodeZigzag(value: number): number {
  return (value >>> 1) ^ -(value & 1);
}
