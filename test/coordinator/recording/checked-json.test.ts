import { crc32 } from 'node:zlib';
import test from 'ava';
import fc from 'fast-check';
import { verifyCheck, withCheck } from '../../../coordinator/recording/checked-json.ts';

const keys = fc.string({ minLength: 1 }).filter((key) => key !== 'check' && key !== '__proto__');
const objects = fc.dictionary(keys, fc.jsonValue(), { minKeys: 1 });

test('withCheck gives JSON of the same content, on one line or indented, whose check holds', (t) => {
  fc.assert(
    fc.property(objects, fc.constantFrom(0, 2), (value, indent) => {
      const text = withCheck(JSON.stringify(value, null, indent));
      const { check, ...rest } = JSON.parse(text) as Record<string, unknown>;
      return (
        typeof check === 'string' &&
        JSON.stringify(rest) === JSON.stringify(value) &&
        verifyCheck(Buffer.from(text)) === 'holds'
      );
    }),
  );
  t.pass();
});

test('withCheck writes the CRC-32 of what stands before it, as anybody can compute', (t) => {
  const body = '{"latency":"1250"';
  const check = crc32(body).toString(16).padStart(8, '0');
  t.is(withCheck(`${body}}`), `${body},"check":"${check}"}`);
});

test('verifyCheck finds every flipped bit of a text', (t) => {
  const bytes = Buffer.from(withCheck(JSON.stringify({ trialId: 't0001', latency: '123456' })));
  for (let bit = 0; bit < bytes.length * 8; bit += 1) {
    const flipped = Buffer.from(bytes);
    flipped[bit >> 3]! ^= 1 << (bit & 7);
    // Where the flip hides the check, the text has none, and a file with checks refuses it.
    t.not(verifyCheck(flipped), 'holds', `bit ${bit}`);
  }
});

test('verifyCheck says that an older text has none', (t) => {
  t.is(verifyCheck(Buffer.from('{"protocol":1}')), 'absent');
  t.is(verifyCheck(Buffer.from('')), 'absent');
});
