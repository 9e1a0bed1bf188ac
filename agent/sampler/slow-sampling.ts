import { setTimeout as delay } from 'node:timers/promises';
import { errorMessageOf } from '../../schemas/errors.ts';
import type { Reading, SeriesIdentity, SlowSource } from '../collectors/collector.ts';
import { ReadingTable } from './reading-table.ts';
import type { MemoryBudget } from './reading-table.ts';
import { columnsOf, seriesKeyText } from './sample-columns.ts';
import type { SampleColumns, Segment, SourceKey } from './sample-columns.ts';

/** The most readings of a slow source per second. */
const RATE_MAX_HZ = 10;

/** A reading that takes longer is the last of its source, ms. */
const READ_TIMEOUT_MS = 5_000;

/** What the last reading and the close of an ending trial may take, ms. */
const END_TIMEOUT_MS = 2_000;

/** Series of one source, as a block has them. */
const SERIES_MAX = 4096;

const FIRST_ROWS = 16;

const REASON = `reading it takes too long for more than ${RATE_MAX_HZ} Hz`;

/** One slow source, read beside the loop by a schedule of its own. */
export class SlowSampling {
  readonly key: SourceKey;
  readonly #source: SlowSource;
  readonly #wantedHz: number;
  readonly #budget: MemoryBudget;
  readonly #ending = new AbortController();
  // In the order in which they were found; a row has the first of them that there were then.
  readonly #series: SeriesIdentity[] = [];
  readonly #places = new Map<string, number>();
  #tables: ReadingTable[] = [];
  #periodMs: number;
  #running: Promise<void> = Promise.resolve();
  #isOver = false;
  #isThinned = false;
  #failure: string | undefined;

  constructor(key: SourceKey, source: SlowSource, wantedHz: number, budget: MemoryBudget) {
    this.key = key;
    this.#source = source;
    this.#wantedHz = wantedHz;
    this.#budget = budget;
    this.#periodMs = 1e3 / Math.min(wantedHz, source.limit.hz, RATE_MAX_HZ);
  }

  /** Readings per second. */
  get rateHz(): number {
    return 1e3 / this.#periodMs;
  }

  /** Why the rate is below the one asked for. Absent if it is not, but for want of memory. */
  get limitedBy(): string | undefined {
    const { limit } = this.#source;
    if (Math.min(limit.hz, RATE_MAX_HZ) >= this.#wantedHz) return undefined;
    return limit.hz <= RATE_MAX_HZ ? limit.reason : REASON;
  }

  /** True if readings were dropped for want of memory. */
  get isThinned(): boolean {
    return this.#isThinned;
  }

  /** Why it was given up. Absent if it was not. */
  get failure(): string | undefined {
    return this.#failure;
  }

  /** Takes the first reading at once and goes on. */
  begin(): void {
    this.#running = this.#run();
  }

  /** What was read and not taken yet. */
  take(): SampleColumns {
    const segments = this.#tables.map((table): Segment => ({
      width: table.width,
      chunks: table.close(),
    }));
    this.#tables = [];
    return columnsOf(this.key, this.#series, segments);
  }

  /** Takes a last reading and closes the source. Never rejects. */
  async end(): Promise<void> {
    this.#ending.abort();
    const running = this.#running.then(() => 'idle' as const);
    const isIdle = (await inTime(running, END_TIMEOUT_MS)) === 'idle';
    if (isIdle && !this.#isOver) await this.#read(END_TIMEOUT_MS);
    await this.#close();
  }

  /** Closes the source without another reading. Never rejects. */
  async abandon(): Promise<void> {
    this.#isOver = true;
    this.#ending.abort();
    await inTime(this.#running, END_TIMEOUT_MS);
    await this.#close();
    this.take();
  }

  async #close(): Promise<void> {
    this.#isOver = true;
    await inTime(
      this.#source.close().catch(() => undefined),
      END_TIMEOUT_MS,
    );
  }

  async #run(): Promise<void> {
    const { signal } = this.#ending;
    const startMs = performance.now();
    for (;;) {
      await this.#read(READ_TIMEOUT_MS);
      if (this.#isOver || signal.aborted) return;
      const elapsedMs = performance.now() - startMs;
      const nextMs = (Math.floor(elapsedMs / this.#periodMs) + 1) * this.#periodMs;
      try {
        await delay(nextMs - elapsedMs, undefined, { signal });
      } catch {
        return;
      }
    }
  }

  async #read(timeoutMs: number): Promise<void> {
    const beforeMonoNs = process.hrtime.bigint();
    try {
      const readings = await inTime(this.#source.read(), timeoutMs);
      if (readings === undefined) {
        this.#failure = `it did not answer within ${timeoutMs} ms`;
        this.#isOver = true;
      } else if (readings === 'ended') {
        this.#isOver = true;
      } else if (readings !== 'absent') {
        // What it tells was so at some instant of the reading; the middle is off by half at most.
        this.#add((beforeMonoNs + process.hrtime.bigint()) / 2n, readings);
      }
    } catch (error) {
      this.#failure = errorMessageOf(error);
      this.#isOver = true;
    }
  }

  #add(atMonoNs: bigint, readings: readonly Reading[]): void {
    const places = readings.map((reading) => this.#placeOf(reading));
    const row = new Float64Array(this.#series.length).fill(Number.NaN);
    for (const [index, { value }] of readings.entries()) {
      const place = places[index];
      if (place !== undefined) row[place] = value;
    }
    let table = this.#tables.at(-1);
    if (table?.width !== row.length) {
      table = new ReadingTable(row.length, FIRST_ROWS, this.#budget);
      this.#tables.push(table);
    }
    if (table.isFull && !this.#budget.has(table.growthBytes)) {
      for (const each of this.#tables) each.thin();
      this.#periodMs *= 2;
      this.#isThinned = true;
    }
    if (table.isFull) table.grow();
    table.append(atMonoNs, row);
  }

  #placeOf({ metric, attributes }: Reading): number | undefined {
    const identity = { metric, ...(attributes === undefined ? {} : { attributes }) };
    const key = seriesKeyText(identity);
    const known = this.#places.get(key);
    if (known !== undefined || this.#series.length === SERIES_MAX) return known;
    this.#places.set(key, this.#series.length);
    this.#series.push(identity);
    return this.#series.length - 1;
  }
}

/** What the promise resolves to, or undefined if that takes longer. */
async function inTime<T>(promise: Promise<T>, timeoutMs: number): Promise<T | undefined> {
  const done = new AbortController();
  const late = delay(timeoutMs, undefined, { signal: done.signal }).catch(() => undefined);
  try {
    return await Promise.race([promise, late]);
  } finally {
    done.abort();
  }
}
