import assert from 'node:assert/strict';
import test from 'ava';
import fc from 'fast-check';
import { Digest, Identifier, Nanoseconds, nanosecondsToMs } from '../../schemas/units.ts';

test('Nanoseconds survives the wire for any 64-bit value', (t) => {
  fc.assert(
    fc.property(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 64n - 1n }), (value) => {
      assert.equal(Nanoseconds.decode(Nanoseconds.encode(value)), value);
    }),
  );
  t.pass();
});

test('Nanoseconds refuses what is no whole decimal number', (t) => {
  for (const text of ['', '1.5', '1e9', '0x10', ' 1', '+1', '1n', '9'.repeat(21)]) {
    t.false(Nanoseconds.safeParse(text).success, text);
  }
});

test('Identifier takes what is safe in a subject, a path and a cgroup name', (t) => {
  for (const text of ['a', '0', 'hello-go', 'a--b', 'x'.repeat(64)]) {
    t.true(Identifier.safeParse(text).success, text);
  }
});

test('Identifier refuses anything else', (t) => {
  const bad = [
    '',
    '-a',
    'a-',
    'A',
    'a.b',
    'a/b',
    '..',
    '*',
    '>',
    'a b',
    'ä',
    'a\n',
    'x'.repeat(65),
  ];
  for (const text of bad) t.false(Identifier.safeParse(text).success, JSON.stringify(text));
});

test('Digest takes SHA-256 in lower case only', (t) => {
  const hex = '0123456789abcdef'.repeat(4);
  t.true(Digest.safeParse(`sha256:${hex}`).success);
  for (const text of [hex, `sha256:${hex.toUpperCase()}`, `sha256:${hex}0`, `md5:${hex}`]) {
    t.false(Digest.safeParse(text).success, text);
  }
});

test('nanosecondsToMs converts', (t) => {
  t.is(nanosecondsToMs(1_500_000n), 1.5);
  t.is(nanosecondsToMs(-1n), -1e-6);
});
