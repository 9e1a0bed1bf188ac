import test from 'ava';
import fc from 'fast-check';
import { thinned } from '../../../coordinator/report/thinning.ts';

const size = (value: number): number => value;

test('thinned keeps all values while they are few', (t) => {
  t.deepEqual(thinned([3, 1, 2], 3, size), [3, 1, 2]);
});

test('thinned keeps the order and the extremes, and is not longer than asked for', (t) => {
  fc.assert(
    fc.property(
      fc.array(fc.integer(), { minLength: 1, maxLength: 400 }),
      fc.integer({ min: 2, max: 60 }),
      (values, most) => {
        const kept = thinned(values, most, size);
        let at = 0;
        const isInOrder = kept.every((value) => {
          at = values.indexOf(value, at) + 1;
          return at > 0;
        });
        return (
          isInOrder &&
          kept.length <= most + 1 &&
          Math.min(...kept) === Math.min(...values) &&
          Math.max(...kept) === Math.max(...values)
        );
      },
    ),
  );
  t.pass();
});
