import assert from 'node:assert/strict';
import test from 'ava';
import fc from 'fast-check';
import { MemoryBudget, ReadingTable } from '../../../agent/sampler/reading-table.ts';
import {
  columnsOf,
  countValues,
  seriesKeyText,
  withFinals,
} from '../../../agent/sampler/sample-columns.ts';
import type { SampleColumns, Segment } from '../../../agent/sampler/sample-columns.ts';
import type { FinalReading, SeriesIdentity } from '../../../agent/collectors/collector.ts';

const KEY = { source: 'cgroup-cpu', instance: 2 } as const;
const identity = (place: number): SeriesIdentity => ({
  metric: 'lockstep.sandbox.cpu.mode.time',
  attributes: { 'cpu.mode': `m${place}` },
});

/** Rows of growing width, one every 10 ns from 10 on. */
function segmentsOf(widths: readonly number[], rowsEach: number): Segment[] {
  let monoNs = 0n;
  return widths.map((width) => {
    const table = new ReadingTable(width, 2, new MemoryBudget(Infinity));
    for (let row = 0; row < rowsEach; row += 1) {
      monoNs += 10n;
      if (table.isFull) table.grow();
      table.append(
        monoNs,
        Float64Array.from({ length: width }, (_, at) => Number(monoNs) + at),
      );
    }
    return { chunks: table.close(), width };
  });
}

test('columns have each reading once, and nothing where a series was not there yet', (t) => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 0, max: 3 }), { maxLength: 4 }),
      fc.integer({ min: 0, max: 9 }),
      (additions, rowsEach) => {
        let width = 0;
        const widths = additions.map((more) => (width += more));
        const series = Array.from({ length: width }, (_, place) => identity(place));
        const columns = columnsOf(KEY, series, segmentsOf(widths, rowsEach));
        const instants = widths.flatMap(() => Array.from({ length: rowsEach }));
        assert.deepEqual(
          [...columns.monoNs],
          instants.map((_, index) => BigInt(index + 1) * 10n),
        );
        let there = 0;
        for (const [place, { values }] of columns.series.entries()) {
          for (const [index, value] of values.entries()) {
            const isThere = place < (widths[Math.floor(index / rowsEach)] ?? 0);
            assert.equal(value, isThere ? (index + 1) * 10 + place : Number.NaN);
            if (isThere) there += 1;
          }
        }
        assert.equal(countValues(columns), there);
      },
    ),
  );
  t.pass();
});

/** All that columns say, as pairs of instant and series with its value. */
function valuesOf({ monoNs, series }: SampleColumns): Map<string, number> {
  const found = new Map<string, number>();
  for (const column of series) {
    for (const [index, value] of column.values.entries()) {
      const key = `${monoNs[index]!} ${seriesKeyText(column)}`;
      if (!Number.isNaN(value)) found.set(key, value);
    }
  }
  return found;
}

const Final = fc.record({
  atMonoNs: fc.bigInt({ min: 0n, max: 60n }),
  values: fc.uniqueArray(fc.tuple(fc.integer({ min: 0, max: 4 }), fc.nat()), {
    selector: ([place]) => place,
    maxLength: 4,
  }),
});

test('last readings are added at their instants, and nothing else changes', (t) => {
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: 3 }),
      fc.integer({ min: 0, max: 5 }),
      fc.array(Final, { maxLength: 4 }),
      (width, rows, finals) => {
        const series = Array.from({ length: width }, (_, place) => identity(place));
        const before = columnsOf(KEY, series, segmentsOf([width], rows));
        const readings = finals.map(({ atMonoNs, values }): FinalReading => ({
          ...{ ...KEY, atMonoNs },
          readings: values.map(([place, value]) => ({ ...identity(place), value })),
        }));
        const expected = valuesOf(before);
        for (const { atMonoNs, readings: each } of readings) {
          for (const { value, ...of } of each) {
            expected.set(`${atMonoNs} ${seriesKeyText(of)}`, value);
          }
        }
        const [after, ...more] = withFinals([before], readings);
        assert.equal(more.length, 0);
        assert.deepEqual(new Map([...valuesOf(after!)].sort()), new Map([...expected].sort()));
        const instants = [...after!.monoNs];
        assert.ok(instants.every((each, index) => index === 0 || each > instants[index - 1]!));
        assert.ok(after!.series.every(({ values }) => values.length === instants.length));
      },
    ),
  );
  t.pass();
});
