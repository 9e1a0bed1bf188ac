import {
  encodeFixed64,
  encodeInt64,
  encodeMessage,
  encodeNumber,
  encodeText,
} from './wire-format.ts';

/** A value of an attribute. Whole numbers become integers. */
export type AttributeValue = string | number | boolean;
export type Attributes = Readonly<Record<string, AttributeValue>>;

/** Fields of KeyValue and AnyValue, opentelemetry/proto/common/v1/common.proto. */
const KEY_VALUE = { key: 1, value: 2 } as const;
const ANY_VALUE = { text: 1, truth: 2, integer: 3, double: 4 } as const;

/** Encodes attributes as a repeated field of KeyValue, one part for each. */
export function encodeAttributes(field: number, attributes: Attributes): Uint8Array[] {
  return Object.entries(attributes).map(([key, value]) =>
    encodeMessage(
      field,
      encodeText(KEY_VALUE.key, key),
      encodeMessage(KEY_VALUE.value, encodeValue(value)),
    ),
  );
}

/** Encodes the content of an AnyValue. */
export function encodeValue(value: AttributeValue): Uint8Array {
  if (typeof value === 'string') return encodeText(ANY_VALUE.text, value);
  if (typeof value === 'boolean') return encodeNumber(ANY_VALUE.truth, Number(value));
  if (Number.isSafeInteger(value)) return encodeInt64(ANY_VALUE.integer, BigInt(value));
  return encodeFixed64(ANY_VALUE.double, bitsOf(value));
}

function bitsOf(value: number): bigint {
  const view = new DataView(new ArrayBuffer(8));
  view.setFloat64(0, value);
  return view.getBigInt64(0);
}
