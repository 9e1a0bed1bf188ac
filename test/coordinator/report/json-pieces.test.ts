import assert from 'node:assert/strict';
import test from 'ava';
import fc from 'fast-check';
import { jsonPieces } from '../../../coordinator/report/json-pieces.ts';
import { collected } from '../../support/collected.ts';

async function* awaited(values: readonly unknown[]): AsyncGenerator {
  for (const value of values) yield await Promise.resolve(value);
}

test('jsonPieces writes what JSON.stringify does, whatever the value', async (t) => {
  await fc.assert(
    fc.asyncProperty(fc.jsonValue(), async (value) => {
      assert.equal(await collected(jsonPieces(value)), `${JSON.stringify(value, null, 2)}\n`);
    }),
  );
  t.pass();
});

test('jsonPieces writes an async iterable as an array, and leaves out what is undefined', async (t) => {
  const value = { a: awaited([1, { b: 'x', c: undefined }, []]), d: undefined, e: awaited([]) };
  t.is(
    await collected(jsonPieces(value)),
    `${JSON.stringify({ a: [1, { b: 'x' }, []], e: [] }, null, 2)}\n`,
  );
});

test('jsonPieces gives a large value in pieces of bounded size, without a gap', async (t) => {
  const value = { list: Array.from({ length: 30_000 }, (_, index) => ({ index, text: 'x' })) };
  const pieces: string[] = [];
  for await (const piece of jsonPieces(value)) pieces.push(piece);
  t.true(pieces.length > 10);
  t.true(pieces.every(({ length }) => length < 200_000));
  t.is(pieces.join(''), `${JSON.stringify(value, null, 2)}\n`);
});
