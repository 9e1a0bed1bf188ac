import assert from 'node:assert/strict';
import test from 'ava';
import fc from 'fast-check';
import { canonicalJson } from '../../bus/canonical-json.ts';
import type { JsonValue } from '../../bus/canonical-json.ts';

test('canonicalJson sorts keys, writes no white space and leaves undefined out', (t) => {
  const text = canonicalJson({ b: [1, { z: null, a: true }], a: 'é"', c: undefined, B: 1e21 });
  t.is(text, '{"B":1e+21,"a":"é\\"","b":[1,{"a":true,"z":null}]}');
});

test('canonicalJson refuses what JSON cannot hold', (t) => {
  t.throws(() => canonicalJson({ a: Number.NaN }), { instanceOf: TypeError });
  t.throws(() => canonicalJson([Number.POSITIVE_INFINITY]), { instanceOf: TypeError });
});

test('canonicalJson gives back the value, and the same text whatever the order of keys', (t) => {
  fc.assert(
    fc.property(fc.jsonValue({ noUnicodeString: false }), (value) => {
      const text = canonicalJson(value);
      assert.deepEqual(JSON.parse(text), JSON.parse(JSON.stringify(value)));
      assert.equal(canonicalJson(reversed(JSON.parse(text))), text);
    }),
  );
  t.pass();
});

function reversed(value: unknown): JsonValue {
  if (Array.isArray(value)) return value.map((item) => reversed(item));
  if (typeof value !== 'object' || value === null) return value as JsonValue;
  const entries = Object.entries(value).toReversed();
  return Object.fromEntries(entries.map(([key, member]) => [key, reversed(member)]));
}
