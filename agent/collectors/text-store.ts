import type { ByteScan } from './byte-scan.ts';

/** The longest text that is read: `/proc/stat` of some hundred processors has room in it. */
export const TEXT_BYTES_MAX = 128 * 1024;

/** So many texts, as long as any, a reading may consist of. */
export const TEXTS_PER_READING_MAX = 8;

const BYTES_PER_PLACE = 4;

/**
 * Texts of the kernel in the order in which they were read, to be parsed later. Its memory is there
 * from the beginning; pages of it that no text ever reached cost nothing.
 */
export class TextStore {
  /** The texts, one behind the other. A new one is read to {@link end}. */
  readonly bytes: Buffer;
  readonly #starts: Int32Array;
  readonly #ends: Int32Array;
  readonly #fullBytes: number;
  readonly #fullTexts: number;
  #count = 0;
  #end = 0;
  #next = 0;

  /**
   * @param fullBytes so many bytes, or
   * @param fullTexts so many texts make it full: there is room for one reading more then
   */
  constructor(fullBytes: number, fullTexts: number) {
    this.#fullBytes = fullBytes;
    this.#fullTexts = fullTexts;
    this.bytes = Buffer.allocUnsafeSlow(fullBytes + TEXTS_PER_READING_MAX * TEXT_BYTES_MAX);
    this.#starts = new Int32Array(fullTexts + TEXTS_PER_READING_MAX);
    this.#ends = new Int32Array(fullTexts + TEXTS_PER_READING_MAX);
  }

  /** What it takes, bytes. */
  get byteLength(): number {
    return this.bytes.length + 2 * this.#starts.length * BYTES_PER_PLACE;
  }

  /** Texts in it, those that were not there among them. */
  get count(): number {
    return this.#count;
  }

  /** Where the next text begins. */
  get end(): number {
    return this.#end;
  }

  /** False if there is room for another reading for sure. */
  get isFull(): boolean {
    return this.#count > this.#fullTexts || this.#end > this.#fullBytes;
  }

  /** Keeps what was read to {@link end}. Undefined: there was no text, which is kept as well. */
  add(length: number | undefined): void {
    this.#starts[this.#count] = this.#end;
    if (length !== undefined) this.#end += length;
    this.#ends[this.#count] = length === undefined ? -1 : this.#end;
    this.#count += 1;
  }

  /** Forgets all texts but the first `count`. */
  keep(count: number): void {
    if (count < this.#count) this.#end = this.#starts[count] ?? 0;
    this.#count = count;
  }

  /** Goes to a text, by its number from 0. */
  seek(text: number): void {
    this.#next = text;
  }

  /** Begins a scan with the text that it is at, and goes on to the next. False: there is none. */
  scanNext(scan: ByteScan): boolean {
    const start = this.#starts[this.#next] ?? 0;
    const end = this.#ends[this.#next] ?? -1;
    this.#next += 1;
    if (end === -1) return false;
    scan.begin(this.bytes, start, end);
    return true;
  }
}
