import test from 'ava';
import fc from 'fast-check';
import { FastRandom } from '../../../coordinator/analysis/statistics/fast-random.ts';
import { findDuplication } from '../../../coordinator/import/duplicated-rows.ts';

/** Times in whole steps around a centre. */
function sample(seed: number, size: number, spreadSteps: number): number[] {
  const random = new FastRandom(seed);
  return Array.from({ length: size }, () =>
    Math.max(0, Math.round(100 * spreadSteps + spreadSteps * random.nextNormal())),
  );
}

const ascending = (values: readonly number[]): number[] => values.toSorted((a, b) => a - b);

test('a hundred rows pasted ten times and a bit are a hundred rows', (t) => {
  const values = sample(1, 100, 200_000);
  const pasted = [...Array.from({ length: 10 }, () => values).flat(), ...values.slice(0, 96)];
  const found = findDuplication(pasted, 1);
  t.is(found?.by, 'sequence');
  t.is(found?.repeated.length, 996);
  t.is(found?.repeated[0], 100);
});

test('a block that stands in the middle once more is found', (t) => {
  const values = sample(2, 100, 5000);
  const found = findDuplication([...values, ...values.slice(30, 60), ...sample(3, 40, 5000)], 1);
  t.deepEqual(
    found?.repeated,
    Array.from({ length: 30 }, (_, index) => 100 + index),
  );
});

test('rows that were pasted and then sorted are found by their equal values', (t) => {
  const values = sample(4, 100, 200_000);
  const found = findDuplication(ascending([...values, ...values, ...values]), 1);
  t.is(found?.by, 'values');
  t.is(found?.repeated.length, 300 - new Set(values).size);
});

test('pasted rows of a coarse clock are found by sequence', (t) => {
  const values = sample(5, 100, 4);
  t.is(findDuplication([...values, ...values], 1)?.repeated.length, 100);
});

test('independent rows are never taken as copies, on a fine grid or a coarse one', (t) => {
  const property = fc.property(
    fc.integer({ min: 1, max: 2 ** 31 }),
    fc.integer({ min: 2, max: 1000 }),
    fc.constantFrom(0.3, 1, 3, 10, 50, 400, 100_000),
    fc.boolean(),
    (seed, size, spread, isSorted) => {
      const values = sample(seed, size, spread);
      return findDuplication(isSorted ? ascending(values) : values, 1) === undefined;
    },
  );
  t.notThrows(() => {
    fc.assert(property, { seed: 1, numRuns: 600 });
  });
});

test('two modes of a coarse clock, and rows that alternate, are no copies', (t) => {
  for (let seed = 1; seed <= 100; seed += 1) {
    const modes = sample(seed, 500, 2).map((value, index) => value + (index % 2) * 40);
    t.is(findDuplication(modes, 1), undefined, `seed ${seed}`);
  }
  const alternating = Array.from({ length: 200 }, (_, index) => 10 + (index % 2));
  t.is(findDuplication(alternating, 1), undefined);
  t.is(findDuplication(Array.from({ length: 200 }, () => 7), 7), undefined); // prettier-ignore
});
