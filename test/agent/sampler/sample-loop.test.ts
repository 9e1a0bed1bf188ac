import test from 'ava';
import { ByteScan } from '../../../agent/collectors/byte-scan.ts';
import type {
  DeferredReading,
  FastSource,
  ReadOutcome,
} from '../../../agent/collectors/collector.ts';
import type { TextStore } from '../../../agent/collectors/text-store.ts';
import { COMMANDS, SampleLoop } from '../../../agent/sampler/sample-loop.ts';
import type { LoopStatistics } from '../../../agent/sampler/sample-loop.ts';
import type { ReadingChunk } from '../../../agent/sampler/reading-table.ts';

const RATE_HZ = 1000;
const MAX_BYTES = 8 * 1024 * 1024;
const LENGTH = 12;

interface Script {
  /** What the reading of a number, from 1, comes to; may give a command. */
  readonly taken?: (count: number) => ReadOutcome | undefined;
  /** May throw. False: there is nothing in it. */
  readonly parsed?: (count: number) => boolean | undefined;
  readonly width?: number;
  readonly textBytes?: number;
}

// The texts of its readings are their numbers, and a second one that is not there.
class NumberedTexts implements FastSource, DeferredReading {
  readonly pace = 'fast';
  readonly series;
  readonly deferred = this;
  readonly #script: Script;
  readonly #scan = new ByteScan();
  count = 0;

  constructor(script: Script = {}) {
    this.#script = script;
    const series = { metric: 'lockstep.host.runnable' } as const;
    this.series = Array.from({ length: script.width ?? 1 }, () => series);
  }

  take(texts: TextStore): ReadOutcome {
    this.count += 1;
    const text = `${this.count}\n`.padEnd(this.#script.textBytes ?? LENGTH);
    texts.add(texts.bytes.write(text, texts.end, 'latin1'));
    texts.add(undefined);
    return this.#script.taken?.(this.count) ?? 'read';
  }

  parse(texts: TextStore, row: Float64Array): boolean {
    const value = texts.scanNext(this.#scan) ? this.#scan.integer() : Number.NaN;
    if (texts.scanNext(this.#scan)) throw new Error('there is a text that was not');
    row.fill(value);
    return this.#script.parsed?.(value) ?? true;
  }

  read(): never {
    throw new Error('it can be read in two halves');
  }

  close(): void {
    // Nothing is open.
  }
}

interface Sampled {
  /** By source; of a row the first value. */
  readonly values: readonly number[][];
  /** What was given when it was told to take, likewise. */
  readonly takenSoFar: readonly number[][];
  readonly tables: readonly ReadingChunk[][];
  readonly statistics: LoopStatistics;
}

function valuesOf(tables: readonly ReadingChunk[][]): number[][] {
  return tables.map((chunks) =>
    chunks.flatMap(({ monoNs, values, rows }) => {
      const width = values.length / monoNs.length;
      return Array.from({ length: rows }, (_, row) => values[row * width]!);
    }),
  );
}

/** Samples until a source says that it is to end. */
function sample(
  scripts: (command: (name: keyof typeof COMMANDS) => void) => readonly Script[],
  maxBytes = MAX_BYTES,
): Sampled & { readonly sources: readonly NumberedTexts[] } {
  const control = new Int32Array(new SharedArrayBuffer(4));
  const command = (name: keyof typeof COMMANDS): void => {
    Atomics.store(control, 0, COMMANDS[name]);
  };
  const sources = scripts(command).map((script) => new NumberedTexts(script));
  const loop = new SampleLoop({ sources, rateHz: RATE_HZ, maxBytes, control });
  let takenSoFar: number[][] = [];
  loop.run(
    () => undefined,
    (tables) => (takenSoFar = valuesOf(tables)),
  );
  const tables = loop.close();
  return { values: valuesOf(tables), takenSoFar, tables, statistics: loop.statistics(), sources };
}

function upTo(count: number, from = 1): number[] {
  return Array.from({ length: count - from + 1 }, (_, index) => from + index);
}

test('SampleLoop parses texts for many rounds at once, and misses none of them', (t) => {
  let parsed = 0;
  const parsedBefore: number[] = [];
  const { values, tables } = sample((command) => [
    {
      taken: (count) => {
        parsedBefore.push(parsed);
        if (count === 50) command('end');
      },
      parsed: () => {
        parsed += 1;
      },
    },
  ]);
  // The last reading is that of the end.
  t.deepEqual(values, [upTo(51)]);
  t.is(parsedBefore[9], 0);
  t.true(parsedBefore[49]! > 0);
  const instants = tables.flat().flatMap(({ monoNs, rows }) => [...monoNs.subarray(0, rows)]);
  t.true(instants.every((each, index) => index === 0 || each > instants[index - 1]!));
  t.true(instants.at(-1)! - instants[0]! > 45_000_000n, 'they have the instants of the rounds');
});

test('SampleLoop gives all that it read when it is told to take, and goes on', (t) => {
  const { values, takenSoFar } = sample((command) => [
    {
      taken: (count) => {
        if (count === 5) command('take');
        if (count === 8) command('end');
      },
    },
  ]);
  t.deepEqual(takenSoFar, [upTo(5)]);
  t.deepEqual(values, [upTo(9, 6)]);
});

test('SampleLoop reads no source again that has ended, and keeps what it told', (t) => {
  const { values, sources, statistics } = sample((command) => [
    { taken: (count) => (count === 4 ? 'ended' : undefined) },
    { taken: (count) => (count % 2 === 0 ? 'absent' : undefined) },
    { parsed: (count) => count !== 3 },
    {
      taken: (count) => {
        if (count === 9) command('end');
      },
    },
  ]);
  t.deepEqual(values, [[1, 2, 3], [1, 3, 5, 7, 9], upTo(10).filter((n) => n !== 3), upTo(10)]);
  t.is(sources[0]?.count, 4);
  t.deepEqual(
    statistics.sources.map(({ failure }) => failure),
    [undefined, undefined, undefined, undefined],
  );
});

test('SampleLoop gives up a source that throws, in either half', (t) => {
  const fail = (count: number): undefined => {
    if (count === 3) throw new Error('the third failed');
  };
  const { values, statistics, sources } = sample((command) => [
    { taken: fail },
    { parsed: fail },
    {
      taken: (count) => {
        if (count === 40) command('end');
      },
    },
  ]);
  t.deepEqual(values[0], [1, 2]);
  t.is(sources[0]?.count, 3);
  t.deepEqual(values[1]?.slice(0, 2), [1, 2]);
  t.true(sources[1]!.count < 40);
  t.deepEqual(values[2], upTo(41));
  t.deepEqual(
    statistics.sources.map(({ failure }) => failure),
    ['the third failed', 'the third failed', undefined],
  );
});

test('SampleLoop parses in the round itself when there is no room for more texts', (t) => {
  const { values } = sample((command) => [
    { textBytes: 100_000 },
    {
      textBytes: 120_000,
      taken: (count) => {
        if (count === 14) command('end');
      },
    },
  ]);
  t.deepEqual(values, [upTo(15), upTo(15)]);
});

test('SampleLoop keeps of the readings that were taken before it thinned only some', (t) => {
  const { values, statistics } = sample(
    (command) => [
      {
        width: 1000,
        taken: (count) => {
          if (count === 80) command('end');
        },
      },
    ],
    2 * 1024 * 1024,
  );
  t.is(statistics.thinnedBy, 2);
  // The table was full with 65 rows: half of them, and half of the others up to 80, and the last.
  const most = 33 + 1 + 8 + 1;
  t.true(values[0]!.length <= most + statistics.missed, `${values[0]!.length} rows`);
});

test('SampleLoop thins what is parsed as what is kept when memory is short', (t) => {
  const maxBytes = 2 * 1024 * 1024;
  const { values, statistics, tables, sources } = sample(
    (command) => [
      {
        width: 1000,
        taken: (count) => {
          if (count === 200) command('end');
        },
      },
    ],
    maxBytes,
  );
  const [kept = []] = values;
  t.true(statistics.thinnedBy > 1 && statistics.sources[0]!.isThinned);
  t.true(statistics.sources[0]!.rateHz <= RATE_HZ / 2);
  t.true(kept.length > 10 && kept.length < sources[0]!.count / 1.5, `${kept.length} rows`);
  t.true(kept.every((value, index) => index === 0 || value > kept[index - 1]!));
  t.deepEqual([kept[0], kept.at(-1)], [1, sources[0]?.count]);
  const bytes = tables.flat().reduce((sum, { values }) => sum + values.byteLength, 0);
  t.true(bytes < maxBytes, `${bytes} bytes`);
});
