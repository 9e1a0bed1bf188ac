import assert from 'node:assert/strict';
import test from 'ava';
import fc from 'fast-check';
import { MemoryBudget, ReadingTable } from '../../../agent/sampler/reading-table.ts';
import type { ReadingChunk } from '../../../agent/sampler/reading-table.ts';

type Row = readonly [bigint, ...number[]];

function rowsOf(chunks: readonly ReadingChunk[], width: number): Row[] {
  return chunks.flatMap(({ monoNs, values, rows }) =>
    Array.from({ length: rows }, (_, row): Row => {
      return [monoNs[row]!, ...values.subarray(row * width, (row + 1) * width)];
    }),
  );
}

function capacityBytes(chunks: readonly ReadingChunk[]): number {
  return chunks.reduce((sum, { monoNs, values }) => sum + monoNs.byteLength + values.byteLength, 0);
}

const Step = fc.oneof(
  { weight: 6, arbitrary: fc.record({ append: fc.integer({ min: 1, max: 60 }) }) },
  { weight: 2, arbitrary: fc.constant('thin' as const) },
  { weight: 1, arbitrary: fc.constant('take' as const) },
);

test('a table holds what a list would, whatever comes in which order', (t) => {
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: 4 }),
      fc.integer({ min: 1, max: 5 }),
      fc.array(Step, { maxLength: 40 }),
      (width, firstRows, steps) => {
        const budget = new MemoryBudget(Infinity);
        const table = new ReadingTable(width, firstRows, budget);
        let expected: Row[] = [];
        const taken: Row[] = [];
        let monoNs = 0n;
        const takeAll = (chunks: ReadingChunk[]): void => {
          taken.push(...rowsOf(chunks, width));
          assert.deepEqual(taken.splice(0), expected);
          expected = [];
        };
        for (const step of steps) {
          if (step === 'thin') {
            table.thin();
            expected = expected.filter((_, index) => index % 2 === 0);
          } else if (step === 'take') {
            takeAll(table.take());
          } else {
            for (let count = 0; count < step.append; count += 1) {
              monoNs += 7n;
              const values = Array.from({ length: width }, (_, place) => Number(monoNs) + place);
              if (table.isFull) table.grow();
              assert.equal(table.append(monoNs, Float64Array.from(values)), true);
              expected.push([monoNs, ...values]);
            }
          }
          assert.equal(table.rows, expected.length);
        }
        const bytes = budget.usedBytes;
        const chunks = table.close();
        // An empty last chunk is counted, but not given away.
        assert.ok(capacityBytes(chunks) <= bytes);
        takeAll(chunks);
        assert.equal(budget.usedBytes, 0);
      },
    ),
  );
  t.pass();
});

test('time only goes on: a reading that is not later is left out', (t) => {
  fc.assert(
    fc.property(fc.array(fc.bigInt({ min: 0n, max: 30n })), (instants) => {
      const table = new ReadingTable(1, 1, new MemoryBudget(Infinity));
      const kept: bigint[] = [];
      for (const instant of instants) {
        if (table.isFull) table.grow();
        const isLater = kept.length === 0 || instant > kept.at(-1)!;
        assert.equal(table.append(instant, Float64Array.of(1)), isLater);
        if (isLater) kept.push(instant);
      }
      const found = rowsOf(table.close(), 1).map(([instant]) => instant);
      assert.deepEqual(found, kept);
    }),
  );
  t.pass();
});

test('a bound is kept by dropping every second reading, and the first stays', (t) => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 8 }),
      fc.integer({ min: 20, max: 200 }),
      fc.integer({ min: 1, max: 3000 }),
      (width, rowsMax, count) => {
        const budget = new MemoryBudget(rowsMax * ReadingTable.rowBytes(width));
        const table = new ReadingTable(width, 8, budget);
        const row = new Float64Array(width);
        for (let index = 0; index < count; index += 1) {
          while (table.isFull && !budget.has(table.growthBytes)) table.thin();
          if (table.isFull) table.grow();
          table.append(BigInt(index), row.fill(index));
          assert.ok(budget.usedBytes <= budget.maxBytes);
        }
        const instants = rowsOf(table.close(), width).map(([instant]) => Number(instant));
        assert.equal(instants[0], 0);
        assert.equal(instants.at(-1), count - 1);
        assert.ok(instants.length >= Math.min(count, rowsMax / 8));
      },
    ),
  );
  t.pass();
});
