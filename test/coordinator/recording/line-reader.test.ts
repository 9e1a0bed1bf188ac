import test from 'ava';
import fc from 'fast-check';
import { LineSplitter } from '../../../coordinator/recording/line-reader.ts';
import type { Line } from '../../../coordinator/recording/line-reader.ts';

function split(chunks: readonly Buffer[], lineBytesMax?: number): Line[] {
  const splitter = new LineSplitter(lineBytesMax);
  const lines = chunks.flatMap((chunk) => splitter.push(chunk));
  const rest = splitter.finish();
  return rest === undefined ? lines : [...lines, rest];
}

test('LineSplitter gives the same lines however the bytes are cut', (t) => {
  const bytes = fc.array(fc.constantFrom(0x0a, 0x61, 0x62, 0xff), { maxLength: 40 });
  fc.assert(
    fc.property(bytes, fc.array(fc.nat(40)), (values, cuts) => {
      const all = Buffer.from(values);
      const places = [0, ...cuts.toSorted((a, b) => a - b), all.length];
      const chunks = places.slice(1).map((end, index) => all.subarray(places[index], end));
      const expected = all.toString('latin1').split('\n');
      const torn = expected.pop();
      const lines = split(chunks);
      const whole = lines.filter(({ isWhole }) => isWhole);
      const rest = lines.filter(({ isWhole }) => !isWhole);
      return (
        whole.map(({ bytes: line }) => line?.toString('latin1')).join('\n') ===
          expected.join('\n') &&
        whole.length === expected.length &&
        (rest[0]?.bytes?.toString('latin1') ?? '') === torn &&
        lines.every(({ number }, index) => number === index + 1)
      );
    }),
  );
  t.pass();
});

test('LineSplitter gives no bytes for a line that is too long, and goes on after it', (t) => {
  const lines = split([Buffer.from('ab\nabc'), Buffer.from('def\nxyz\nx')], 3);
  t.deepEqual(
    lines.map(({ bytes, isWhole }) => [bytes?.toString(), isWhole]),
    [
      ['ab', true],
      [undefined, true],
      ['xyz', true],
      ['x', false],
    ],
  );
});
