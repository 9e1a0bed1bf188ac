const NEWLINE = 0x0a;
const SPACE = 0x20;
const TAB = 0x09;
const COLON = 0x3a;
const DIGIT_0 = 0x30;
const DIGIT_9 = 0x39;

/** Decimal digits that a double holds exactly, whatever they are. */
const DIGITS_MAX = 15;

/**
 * Walks over the bytes of a text without making strings. What can't be read as it should is NaN:
 * a number counts only if something stands behind it, since the end of the text may have cut it.
 */
export class ByteScan {
  /** Where the next byte is taken. */
  position = 0;
  /** Where the text ends. */
  end = 0;
  #start = 0;
  #bytes: Uint8Array = new Uint8Array(0);

  /** Begins with another text: the bytes from `start` to before `end`. */
  begin(bytes: Uint8Array, start: number, end: number): this {
    this.#bytes = bytes;
    this.#start = start;
    this.position = start;
    this.end = Math.min(end, bytes.length);
    return this;
  }

  get isAtEnd(): boolean {
    return this.position >= this.end;
  }

  /** True if the text is empty or its last line has its end. */
  get isWhole(): boolean {
    return this.end === this.#start || this.#bytes[this.end - 1] === NEWLINE;
  }

  /** The next byte, or -1 at the end. */
  get byte(): number {
    return this.position < this.end ? (this.#bytes[this.position] ?? -1) : -1;
  }

  /** Passes spaces and tabs. */
  skipGaps(): void {
    const { end } = this;
    const bytes = this.#bytes;
    let at = this.position;
    while (at < end && isGap(bytes[at] ?? -1)) at += 1;
    this.position = at;
  }

  /** Passes spaces, tabs and line ends. */
  skipBlanks(): void {
    while (isGap(this.byte) || this.byte === NEWLINE) this.position += 1;
  }

  /** Passes the rest of the line and its end. */
  skipLine(): void {
    const { end } = this;
    const bytes = this.#bytes;
    let at = this.position;
    while (at < end && bytes[at] !== NEWLINE) at += 1;
    this.position = at + 1;
  }

  /** Passes what is no gap and no line end. */
  skipWord(): void {
    const { end } = this;
    const bytes = this.#bytes;
    let at = this.position;
    while (at < end && !isBlank(bytes[at] ?? -1)) at += 1;
    this.position = at;
  }

  /** Passes these bytes if they come next. */
  skipIf(word: Uint8Array): boolean {
    if (!this.hasAt(this.position, word)) return false;
    this.position += word.length;
    return true;
  }

  /** True if these bytes are at a position. */
  hasAt(position: number, word: Uint8Array): boolean {
    const bytes = this.#bytes;
    if (position + word.length > this.end) return false;
    for (let index = 0; index < word.length; index += 1) {
      if (bytes[position + index] !== word[index]) return false;
    }
    return true;
  }

  /** Passes what is no gap, no line end and no colon, and gives its hash. */
  hashKey(): number {
    const { end } = this;
    const bytes = this.#bytes;
    let at = this.position;
    let hash = 0;
    while (at < end) {
      const byte = bytes[at] ?? -1;
      if (byte === COLON || isBlank(byte)) break;
      hash = nextHash(hash, byte);
      at += 1;
    }
    this.position = at;
    return hash;
  }

  /**
   * Passes gaps and a number without sign, up to 2^64, of which a double holds the first 53 bits.
   *
   * @returns NaN if there is none, it is cut by the end of the text, or goes on as something else.
   */
  integer(): number {
    const { end } = this;
    const bytes = this.#bytes;
    let at = this.position;
    while (at < end && isGap(bytes[at] ?? -1)) at += 1;
    const start = at;
    let value = 0;
    let byte = -1;
    for (; at < end; at += 1) {
      byte = bytes[at] ?? -1;
      if (byte < DIGIT_0 || byte > DIGIT_9) break;
      value = value * 10 + (byte - DIGIT_0);
    }
    this.position = at;
    const digits = at - start;
    if (digits === 0 || at >= end || !isBlank(byte)) {
      this.skipWord();
      return Number.NaN;
    }
    // Adding up digit by digit rounds at each; a conversion rounds once.
    return digits <= DIGITS_MAX ? value : this.#longInteger(start);
  }

  #longInteger(start: number): number {
    if (this.position - start > 20) return Number.NaN;
    return Number(
      BigInt(Buffer.from(this.#bytes.subarray(start, this.position)).toString('latin1')),
    );
  }
}

/** The bytes of a word of a kernel's text. */
export function wordBytes(word: string): Uint8Array {
  return Uint8Array.from(Buffer.from(word, 'latin1'));
}

function isBlank(byte: number): boolean {
  return byte === NEWLINE || isGap(byte);
}

function isGap(byte: number): boolean {
  return byte === SPACE || byte === TAB;
}

/** A key, and what its number is divided by to come to the unit that is wanted. */
export type KeyAndDivisor = readonly [key: string, divisor: number];

/** Finds the numbers of texts with lines such as `key 12` or `Key:   12 kB`. */
export class KeyedIntegers {
  readonly #places = new Map<number, number>();
  readonly #words: readonly Uint8Array[];
  readonly #divisors: readonly number[];

  constructor(keys: readonly KeyAndDivisor[]) {
    this.#words = keys.map(([key]) => wordBytes(key));
    this.#divisors = keys.map(([, divisor]) => divisor);
    this.#words.forEach((word, place) => {
      let hash = 0;
      for (const byte of word) hash = nextHash(hash, byte);
      this.#places.set(hash, place);
    });
    if (this.#places.size !== keys.length) throw new Error(`two keys of ${keys.join()} collide`);
  }

  /** Fills the row from the place `at` on, in the order of the keys; NaN for one without a line. */
  parse(scan: ByteScan, row: Float64Array, at: number): void {
    const count = this.#words.length;
    row.fill(Number.NaN, at, at + count);
    let missing = count;
    while (missing > 0 && !scan.isAtEnd) {
      const place = this.#passKey(scan);
      if (place !== undefined && Number.isNaN(row[at + place])) {
        row[at + place] = scan.integer() / (this.#divisors[place] ?? 1);
        missing -= 1;
      }
      scan.skipLine();
    }
  }

  // The place of the key that begins this line; behind it then.
  #passKey(scan: ByteScan): number | undefined {
    const start = scan.position;
    const place = this.#places.get(scan.hashKey());
    if (place === undefined) return undefined;
    const word = this.#words[place];
    if (word?.length !== scan.position - start || !scan.hasAt(start, word)) return undefined;
    if (scan.byte === COLON) scan.position += 1;
    return place;
  }
}

function nextHash(hash: number, byte: number): number {
  return (Math.imul(hash, 31) + byte) | 0;
}
