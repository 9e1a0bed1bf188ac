import assert from 'node:assert/strict';
import test from 'ava';
import fc from 'fast-check';
import protobuf from 'protobufjs';
import { LockstepError } from '../../../schemas/errors.ts';
import { decodeMessage, MESSAGE_BYTES_MAX } from '../../../telemetry/otlp/decode-message.ts';
import { MESSAGE_SHAPES } from '../../../telemetry/otlp/message-shapes.ts';
import type { FieldShape, MessageShape } from '../../../telemetry/otlp/message-shapes.ts';
import { countItems, decodeRequest } from '../../../telemetry/otlp/export-request.ts';
import { encodeMessage } from '../../../telemetry/otlp/wire-format.ts';
import { SIGNALS } from '../../../telemetry/payload.ts';
import type { Signal } from '../../../telemetry/payload.ts';
import { OfficialSchema } from './official-schema.ts';

/** A field in the words of MESSAGES, where bytes are ids if OTLP/JSON has them as such. */
function describe(field: protobuf.Field): string {
  const { resolvedType } = field.resolve();
  const isId = ['traceId', 'spanId', 'parentSpanId'].includes(field.name);
  const type =
    resolvedType instanceof protobuf.Type
      ? 'message'
      : resolvedType instanceof protobuf.Enum
        ? 'enum'
        : isId
          ? 'id'
          : field.type;
  // An optional scalar is a choice of its own, which does not matter here.
  const choice = field.partOf?.name.startsWith('_') === true ? undefined : field.partOf?.name;
  return words({ name: field.name, isRepeated: field.repeated, choice }, type);
}

function words(
  { name, isRepeated, choice }: { name: string; isRepeated: boolean; choice: string | undefined },
  type: string,
): string {
  return `${name}: ${type}${isRepeated ? '[]' : ''}${choice === undefined ? '' : ` of ${choice}`}`;
}

function describeOwn({ name, isRepeated, choice, type }: FieldShape): string {
  return words({ name, isRepeated, choice }, 'scalar' in type ? type.scalar : 'message');
}

test('MESSAGE_SHAPES has every field of the official schema, and no other', (t) => {
  const schema = OfficialSchema.load(t);
  if (schema === undefined) return;
  const seen = new Set<protobuf.Type>();
  const compare = (type: protobuf.Type, shape: MessageShape): void => {
    if (seen.has(type)) return;
    seen.add(type);
    const official = type.fieldsArray.map((field) => [field.id, describe(field)] as const);
    const own = [...shape].map(([number, field]) => [number, describeOwn(field)] as const);
    t.deepEqual(Object.fromEntries(own), Object.fromEntries(official), type.fullName);
    for (const field of type.fieldsArray) {
      const ownType = shape.get(field.id)!.type;
      if (field.resolvedType instanceof protobuf.Type && 'message' in ownType) {
        compare(field.resolvedType, ownType.message());
      }
    }
  };
  for (const [name, shape] of Object.entries(MESSAGE_SHAPES)) {
    const service = /^Export(Trace|Metrics|Logs)Service(Request|Response)$/.exec(name)?.[1];
    if (service === undefined) continue;
    const folder = `opentelemetry.proto.collector.${service.toLowerCase()}.v1`;
    compare(schema.root.lookupType(`${folder}.${name}`), shape);
  }
  // Those of google.rpc and google.protobuf are not in that schema.
  t.is(seen.size, Object.keys(MESSAGE_SHAPES).length - 4);
});

type Message = Record<string, unknown>;

/** Makes up a message of a type. */
function makeUp(g: fc.GeneratorValue, type: protobuf.Type, depth: number): Message {
  const message: Message = {};
  const chosen = new Map<string, string>();
  for (const { partOf, name } of type.fieldsArray) {
    if (partOf !== null && (!chosen.has(partOf.name) || g(fc.boolean)))
      chosen.set(partOf.name, name);
  }
  for (const field of type.fieldsArray) {
    if (field.partOf !== null && chosen.get(field.partOf.name) !== field.name) continue;
    if (!g(fc.boolean)) continue;
    const count = field.repeated ? g(fc.integer, { min: 0, max: 3 }) : 1;
    const values = Array.from({ length: count }, () => makeUpValue(g, field, depth));
    const given = values.filter((value) => value !== undefined);
    if (given.length > 0) message[field.name] = field.repeated ? given : given[0];
  }
  return message;
}

function makeUpValue(g: fc.GeneratorValue, field: protobuf.Field, depth: number): unknown {
  const { resolvedType } = field.resolve();
  if (resolvedType instanceof protobuf.Type) {
    return depth === 0 ? undefined : makeUp(g, resolvedType, depth - 1);
  }
  if (resolvedType instanceof protobuf.Enum) return g(fc.integer, { min: 0, max: 24 });
  switch (field.type) {
    case 'string':
      return g(fc.string, { unit: 'binary' });
    case 'bool':
      return g(fc.boolean);
    case 'double':
      return g(fc.double);
    case 'bytes':
      return Buffer.from(g(fc.uint8Array, { maxLength: 16 }));
    case 'uint32':
    case 'fixed32':
      return g(fc.nat, { max: 0xffff_ffff });
    case 'sint32':
      return g(fc.integer);
    default: {
      const isSigned = field.type === 'int64' || field.type === 'sfixed64';
      const bits = g(fc.bigInt, { min: 0n, max: 2n ** 64n - 1n });
      return String(isSigned ? BigInt.asIntN(64, bits) : bits);
    }
  }
}

/** What protobufjs has for JSON, but with ids as hexadecimal, as OTLP wants them. */
function withHexIds(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withHexIds);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) => {
      const isId = ['traceId', 'spanId', 'parentSpanId'].includes(key);
      return [key, isId ? Buffer.from(String(inner), 'base64').toString('hex') : withHexIds(inner)];
    }),
  );
}

function makeUpBytes(g: fc.GeneratorValue, schema: OfficialSchema, signal: Signal): Uint8Array {
  const type = schema.requestType(signal);
  return type.encode(type.fromObject(makeUp(g, type, 9))).finish();
}

test('decodeMessage reads what the official schema writes', (t) => {
  const schema = OfficialSchema.load(t);
  if (schema === undefined) return;
  fc.assert(
    fc.property(fc.gen(), fc.constantFrom(...SIGNALS), (g, signal) => {
      const type = schema.requestType(signal);
      const bytes = makeUpBytes(g, schema, signal);
      const expected = type.toObject(type.decode(bytes), {
        longs: String,
        bytes: String,
        json: true,
      });
      assert.deepEqual(decodeRequest(signal, bytes), withHexIds(expected));
    }),
    { numRuns: 300 },
  );
  t.pass();
});

test('decodeMessage refuses damaged bytes with MESSAGE_INVALID, or reads them', (t) => {
  const schema = OfficialSchema.load(t);
  if (schema === undefined) return;
  const places = fc.array(fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 })), { maxLength: 5 });
  let refused = 0;
  const attempt = (signal: Signal, bytes: Uint8Array): void => {
    for (const read of [decodeRequest, countItems]) {
      try {
        read(signal, bytes);
      } catch (error) {
        assert(error instanceof LockstepError && error.code === 'MESSAGE_INVALID', String(error));
        refused += 1;
      }
    }
  };
  fc.assert(
    fc.property(fc.gen(), fc.constantFrom(...SIGNALS), places, (g, signal, changes) => {
      const bytes = Uint8Array.from(makeUpBytes(g, schema, signal));
      for (const [place, byte] of changes) bytes[place % Math.max(1, bytes.length)] = byte;
      attempt(signal, bytes);
    }),
    { numRuns: 300 },
  );
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), fc.constantFrom(...SIGNALS), (bytes, signal) => {
      attempt(signal, bytes);
    }),
    { numRuns: 500 },
  );
  t.true(refused > 0);
});

function refusalOf(bytes: Uint8Array): string {
  try {
    decodeMessage('ExportLogsServiceRequest', bytes);
  } catch (error) {
    if (error instanceof LockstepError && error.code === 'MESSAGE_INVALID') return error.message;
  }
  return 'none';
}

function nest(levels: number): Uint8Array {
  let value: Uint8Array = encodeMessage(5);
  for (let level = 0; level < levels; level += 1) value = encodeMessage(5, encodeMessage(1, value));
  return encodeMessage(1, encodeMessage(2, encodeMessage(2, encodeMessage(5, value))));
}

test('decodeMessage bounds depth, size and number of values', (t) => {
  t.is(refusalOf(nest(40)), 'none');
  t.regex(refusalOf(nest(5000)), /nested more than 100 deep/);
  t.regex(refusalOf(new Uint8Array(MESSAGE_BYTES_MAX + 1)), /bytes are more than/);
  // Two bytes for each of many empty resources.
  const many = new Uint8Array(2 * 2_000_001);
  for (let at = 0; at < many.length; at += 2) many[at] = 0x0a;
  t.regex(refusalOf(many), /more than 2000000 values/);
});

test('decodeMessage refuses what no field can be', (t) => {
  const cases = {
    'the number 0': [0x02, 0x00],
    'wire type 3': [0x0b],
    'wire type 7': [0x0f],
    'is no message': [0x08, 0x01],
    'end within': [0x80],
    'more than 10 bytes': [0x78, ...Array<number>(11).fill(0xff)],
    '9 bytes has 1 left': [0x0a, 0x09, 0x00],
    'not UTF-8': [0x0a, 0x04, 0x1a, 0x02, 0xff, 0xfe],
  };
  for (const [words, bytes] of Object.entries(cases)) {
    t.regex(refusalOf(Uint8Array.from(bytes)), new RegExp(words));
  }
});

test('decodeMessage joins a message given in parts, and keeps the last of a choice', (t) => {
  const scope = (number: number, text: string) =>
    encodeMessage(1, encodeMessage(number, Buffer.from(text)));
  const logs = encodeMessage(2, scope(1, 'name'), scope(2, 'version'));
  t.deepEqual(decodeMessage('ExportLogsServiceRequest', encodeMessage(1, logs)), {
    resourceLogs: [{ scopeLogs: [{ scope: { name: 'name', version: 'version' } }] }],
  });
  const two = Uint8Array.from([0x10, 0x01, 0x0a, 0x01, 0x61]);
  t.deepEqual(decodeMessage('AnyValue', two), { stringValue: 'a' });
});
