import test from 'ava';
import { ecdf } from '../../../coordinator/analysis/ecdf.ts';

test('ecdf has one step per distinct value, with the share of values up to it', (t) => {
  t.deepEqual(ecdf([3, 1, 2, 2]), [
    { value: 1, share: 0.25 },
    { value: 2, share: 0.75 },
    { value: 3, share: 1 },
  ]);
});

test('ecdf of no values has no step', (t) => {
  t.deepEqual(ecdf([]), []);
});
