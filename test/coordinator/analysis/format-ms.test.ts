import test from 'ava';
import { formatMs } from '../../../coordinator/analysis/format-ms.ts';

const WRITTEN: readonly (readonly [number, string])[] = [
  [0, '0.00'],
  [1234, '0.0012'],
  [12_345, '0.012'],
  [1_234_567, '1.23'],
  [12_345_678, '12.3'],
  [123_456_789, '123.5'],
  [1_550_400_000, '1550'],
  [123_456_000_000, '123456'],
  [-40_000, '-0.040'],
];

for (const [durationNs, text] of WRITTEN) {
  test(`formatMs writes ${durationNs} ns as ${text}`, (t) => {
    t.is(formatMs(durationNs), text);
  });
}
