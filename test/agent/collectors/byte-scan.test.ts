import assert from 'node:assert/strict';
import test from 'ava';
import fc from 'fast-check';
import { ByteScan, KeyedIntegers } from '../../../agent/collectors/byte-scan.ts';

function integerOf(text: string): number {
  const scan = new ByteScan();
  scan.begin(Buffer.from(text), 0, text.length);
  return scan.integer();
}

function keyed(keys: readonly string[], text: Buffer, length = text.length): number[] {
  const row = new Float64Array(keys.length).fill(-1);
  new KeyedIntegers(keys.map((key) => [key, 1])).parse(
    new ByteScan().begin(text, 0, length),
    row,
    0,
  );
  return [...row];
}

test('ByteScan reads what Number reads of every counter of the kernel', (t) => {
  fc.assert(
    fc.property(fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), (value) => {
      assert.equal(integerOf(`${value}\n`), Number(value));
    }),
  );
  t.is(integerOf('  9007199254740993 kB\n'), 9_007_199_254_740_992);
});

test('ByteScan refuses a number that is cut, signed, empty, or goes on as something else', (t) => {
  for (const text of ['12', '', '\n', '-5\n', 'max\n', '12x\n', '1.5\n', '1'.repeat(30) + '\n']) {
    t.is(integerOf(text), Number.NaN, text);
  }
});

const Key = fc.stringMatching(/^[a-z][a-z_()]{0,19}$/);
const Table = fc.uniqueArray(fc.tuple(Key, fc.nat()), { selector: ([key]) => key, minLength: 1 });

test('KeyedIntegers finds each key in any order among others', (t) => {
  fc.assert(
    fc.property(Table, fc.func(fc.nat()), (table, order) => {
      const lines = table
        .toSorted(([first], [second]) => order(first) - order(second))
        .map(([key, value], index) =>
          index % 2 === 0 ? `${key} ${value}` : `${key}:  ${value} kB`,
        );
      const text = Buffer.from(`other 5\n${lines.join('\n')}\n`);
      assert.deepEqual(
        keyed(
          table.map(([key]) => key),
          text,
        ),
        table.map(([, value]) => value),
      );
    }),
  );
  t.pass();
});

test('KeyedIntegers tells the value or NaN of a text that is cut anywhere', (t) => {
  fc.assert(
    fc.property(Table, fc.nat(400), (table, length) => {
      const text = Buffer.from(table.map(([key, value]) => `${key} ${value}\n`).join(''));
      const found = keyed(
        table.map(([key]) => key),
        text,
        Math.min(length, text.length),
      );
      found.forEach((value, place) => {
        assert.ok(Number.isNaN(value) || value === table[place]![1]);
      });
    }),
  );
  t.pass();
});

test('KeyedIntegers takes no key for another that begins like it', (t) => {
  const text = Buffer.from('oom_kill 7\noom 3\noom_group_kill 1\n');
  t.deepEqual(keyed(['oom', 'oom_kill', 'kill'], text), [3, 7, Number.NaN]);
});
