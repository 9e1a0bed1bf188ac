import type { DeferredReading, ReadOutcome } from '../collectors/collector.ts';
import { TextStore } from '../collectors/text-store.ts';

/** Texts of some dozen rounds of an ordinary device. */
const FULL_BYTES = 256 * 1024;
const FULL_TEXTS = 4096;

const BYTES_PER_READING = 28;

/** A reading whose texts were taken: of which member, in which round, and when. */
interface PendingReading {
  member: number;
  round: number;
  /** CLOCK_MONOTONIC. */
  monoNs: bigint;
}

/**
 * Readings whose texts were taken and are not parsed yet, one after the other. Typed arrays hold
 * them, since a round must find as little as possible in memory and leave nothing to collect.
 */
export class PendingReadings {
  /** At the texts of the reading that {@link next} gave last. */
  readonly texts = new TextStore(FULL_BYTES, FULL_TEXTS);
  // A reading has one text at least.
  readonly #members = new Int32Array(FULL_TEXTS + 1);
  readonly #firstTexts = new Int32Array(FULL_TEXTS + 1);
  readonly #rounds = new Float64Array(FULL_TEXTS + 1);
  readonly #monoNs = new BigInt64Array(FULL_TEXTS + 1);
  readonly #current: PendingReading = { member: 0, round: 0, monoNs: 0n };
  #count = 0;
  #next = 0;

  /** What they take, bytes. */
  get byteLength(): number {
    return this.texts.byteLength + this.#members.length * BYTES_PER_READING;
  }

  /** True if they must be parsed before another is taken. */
  get isFull(): boolean {
    return this.texts.isFull;
  }

  /** Takes a reading, which is kept if there is something in it. */
  take(source: DeferredReading, member: number, round: number): ReadOutcome {
    const { texts } = this;
    const firstText = texts.count;
    const monoNs = process.hrtime.bigint();
    const outcome = source.take(texts);
    if (outcome !== 'read') {
      texts.keep(firstText);
      return outcome;
    }
    const place = this.#count;
    this.#members[place] = member;
    this.#firstTexts[place] = firstText;
    this.#rounds[place] = round;
    this.#monoNs[place] = monoNs;
    this.#count = place + 1;
    return outcome;
  }

  /** The next reading, to be used before the one after it. Undefined, and empty: there is none. */
  next(): PendingReading | undefined {
    const place = this.#next;
    if (place === this.#count) {
      this.#count = 0;
      this.#next = 0;
      this.texts.keep(0);
      return undefined;
    }
    this.#next = place + 1;
    this.texts.seek(this.#firstTexts[place] ?? 0);
    this.#current.member = this.#members[place] ?? 0;
    this.#current.round = this.#rounds[place] ?? 0;
    this.#current.monoNs = this.#monoNs[place] ?? 0n;
    return this.#current;
  }
}
