import { promisify } from 'node:util';
import { constants, gzip } from 'node:zlib';
import type { Payload, PayloadSink, Signal } from '../payload.ts';
import { settledWithin } from '../settled-within.ts';

const compress = promisify(gzip);

/** Items that wait at most; further ones are dropped and counted. */
const PENDING_MAX = 32_768;

/** Items of one payload at most. */
const BATCH_ITEMS_MAX = 1024;

/** A compressed payload above this is divided, bytes: it must fit one message of the bus. */
export const PAYLOAD_BYTES_MAX = 1024 * 1024;

/** Items wait this long for others, ms. */
const GATHER_MS = 1000;

/** Time for the sink to take one payload, ms. */
const TAKE_TIMEOUT_MS = 10_000;

/** What is gathered, how it is encoded, and where it goes. */
export interface BatchOptions<Item> {
  readonly signal: Signal;
  /** One OTLP export request of these items; `undefined` if they can't be encoded. */
  readonly encode: (items: Item[]) => Uint8Array | undefined;
  readonly sink: PayloadSink;
  /** False while nothing may be encoded or sent; items wait. Not asked by {@link flush}. */
  readonly mayExport: () => boolean;
}

/**
 * Gathers items of one signal and gives them to the sink as OTLP payloads, one after the other.
 * At most 32 768 items wait. Each item is given to the sink once, or is counted as lost; so is what
 * the sink did not take in time, even if it does later.
 */
export class PayloadBatches<Item> {
  readonly #options: BatchOptions<Item>;
  #pending: Item[] = [];
  #lost = 0;
  /** Items that were taken out and are neither given nor lost yet. */
  #underWay = 0;
  #isOver = false;
  #timer: NodeJS.Timeout | undefined;
  #sending: Promise<void> | undefined;
  #isClosed = false;

  constructor(options: BatchOptions<Item>) {
    this.#options = options;
  }

  /** Items that were dropped, or that the sink did not take, since the start. */
  get lost(): number {
    return this.#lost;
  }

  /** Items that wait. */
  get pending(): number {
    return this.#pending.length;
  }

  /** Takes an item in; never throws and never waits. */
  add(item: Item): void {
    if (this.#isClosed || this.#pending.length >= PENDING_MAX) {
      this.#lost += 1;
      return;
    }
    this.#pending.push(item);
    this.#schedule();
  }

  /** Gives what waits to the sink now, if it may; a trial may be over for a moment only. */
  nudge(): void {
    if (!this.#isClosed) void this.#send(this.#options.mayExport);
  }

  /** Gives everything that waits to the sink; resolves when that is done or the time is over. */
  async flush(timeoutMs: number): Promise<void> {
    const giveUpAtMs = performance.now() + timeoutMs;
    while (this.#pending.length > 0 || this.#sending !== undefined) {
      const leftMs = giveUpAtMs - performance.now();
      if (leftMs <= 0) return;
      await settledWithin(
        this.#send(() => true),
        leftMs,
      );
    }
  }

  /** Flushes and takes no more; what is still there when the time is over counts as lost. */
  async close(timeoutMs: number): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    clearTimeout(this.#timer);
    await this.flush(timeoutMs);
    this.#lost += this.#pending.length + this.#underWay;
    this.#pending = [];
    this.#isOver = true;
  }

  #schedule(): void {
    if (this.#timer !== undefined) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      if (this.#pending.length === 0 || this.#isClosed) return;
      void this.#send(this.#options.mayExport).then(() => {
        if (this.#pending.length > 0 && !this.#isClosed) this.#schedule();
      });
    }, GATHER_MS);
    this.#timer.unref();
  }

  /** Sends what waits while it may, unless that is being done already; never rejects. */
  #send(may: () => boolean): Promise<void> {
    if (this.#sending === undefined && !may()) return Promise.resolve();
    this.#sending ??= this.#sendAll(may).finally(() => {
      this.#sending = undefined;
    });
    return this.#sending;
  }

  async #sendAll(may: () => boolean): Promise<void> {
    // What comes in meanwhile waits for the next time, so that this ends.
    for (let left = this.#pending.length; left > 0 && may(); left -= BATCH_ITEMS_MAX) {
      const items = this.#pending.splice(0, BATCH_ITEMS_MAX);
      this.#underWay = items.length;
      const lost = await this.#give(items);
      this.#underWay = 0;
      if (!this.#isOver) this.#lost += lost;
    }
  }

  /** Gives items to the sink, divided if they are too large; resolves with how many were lost. */
  async #give(items: Item[]): Promise<number> {
    if (items.length === 0) return 0;
    const bytes = await this.#encode(items);
    if (bytes === undefined) return items.length;
    if (bytes.byteLength <= PAYLOAD_BYTES_MAX) {
      const { signal, sink } = this.#options;
      return (await giveTo(sink, { signal, bytes, items: items.length })) ? 0 : items.length;
    }
    if (items.length === 1) return 1;
    const middle = Math.ceil(items.length / 2);
    return (await this.#give(items.slice(0, middle))) + (await this.#give(items.slice(middle)));
  }

  async #encode(items: Item[]): Promise<Uint8Array | undefined> {
    try {
      const bytes = this.#options.encode(items);
      return bytes === undefined ? undefined : await compressed(bytes);
    } catch {
      return undefined;
    }
  }
}

/** Compresses an OTLP request as {@link Payload} has it: gzip, level 1, off the main thread. */
export async function compressed(bytes: Uint8Array): Promise<Uint8Array> {
  return compress(bytes, { level: constants.Z_BEST_SPEED });
}

/** Gives a payload to the sink; resolves with whether it was taken in time. Never rejects. */
export async function giveTo(sink: PayloadSink, payload: Payload): Promise<boolean> {
  const taken = Promise.resolve()
    .then(() => sink.add(payload))
    .then(
      () => true,
      () => false,
    );
  return (await settledWithin(taken, TAKE_TIMEOUT_MS)) ?? false;
}
