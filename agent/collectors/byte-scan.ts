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
  #text: Uint8Array = new Uint8Array(0);

  /** Begins with another text. */
  begin(text: Uint8Array, length: number): void {
    this.#text = text;
    this.position = 0;
    this.end = Math.min(length, text.length);
  }

  get isAtEnd(): boolean {
    return this.position >= this.end;
  }

  /** The next byte, or -1 at the end. */
  get byte(): number {
    return this.position < this.end ? (this.#text[this.position] ?? -1) : -1;
  }

  /** Passes spaces and tabs. */
  skipGaps(): void {
    while (isGap(this.byte)) this.position += 1;
  }

  /** Passes spaces, tabs and line ends. */
  skipBlanks(): void {
    while (isGap(this.byte) || this.byte === NEWLINE) this.position += 1;
  }

  /** Passes the rest of the line and its end. */
  skipLine(): void {
    while (this.position < this.end && this.#text[this.position] !== NEWLINE) this.position += 1;
    this.position += 1;
  }

  /** Passes what is no gap and no line end. */
  skipWord(): void {
    let byte = this.byte;
    while (byte !== -1 && byte !== NEWLINE && !isGap(byte)) {
      this.position += 1;
      byte = this.byte;
    }
  }

  /** Passes these bytes if they come next. */
  skipIf(word: Uint8Array): boolean {
    if (this.position + word.length > this.end) return false;
    for (let index = 0; index < word.length; index += 1) {
      if (this.#text[this.position + index] !== word[index]) return false;
    }
    this.position += word.length;
    return true;
  }

  /**
   * Passes gaps and a number without sign, up to 2^64, of which a double holds the first 53 bits.
   *
   * @returns NaN if there is none, it is cut by the end of the text, or goes on as something else.
   */
  integer(): number {
    this.skipGaps();
    const start = this.position;
    let value = 0;
    let byte = this.byte;
    while (byte >= DIGIT_0 && byte <= DIGIT_9) {
      value = value * 10 + (byte - DIGIT_0);
      this.position += 1;
      byte = this.byte;
    }
    const digits = this.position - start;
    const isWhole = byte === NEWLINE || isGap(byte);
    if (digits === 0 || !isWhole) {
      this.skipWord();
      return Number.NaN;
    }
    // Adding up digit by digit rounds at each; a conversion rounds once.
    return digits <= DIGITS_MAX ? value : this.#longInteger(start);
  }

  #longInteger(start: number): number {
    if (this.position - start > 20) return Number.NaN;
    return Number(
      BigInt(Buffer.from(this.#text.subarray(start, this.position)).toString('latin1')),
    );
  }
}

/** The bytes of a word of a kernel's text. */
export function wordBytes(word: string): Uint8Array {
  return Uint8Array.from(Buffer.from(word, 'latin1'));
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
  readonly #scan = new ByteScan();

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
  parse(text: Uint8Array, length: number, row: Float64Array, at: number): void {
    const count = this.#words.length;
    row.fill(Number.NaN, at, at + count);
    const scan = this.#scan;
    scan.begin(text, length);
    let missing = count;
    while (missing > 0 && !scan.isAtEnd) {
      const place = this.#passKey(text);
      if (place !== undefined && Number.isNaN(row[at + place])) {
        row[at + place] = scan.integer() / (this.#divisors[place] ?? 1);
        missing -= 1;
      }
      scan.skipLine();
    }
  }

  // The place of the key that begins this line; behind it then.
  #passKey(text: Uint8Array): number | undefined {
    const scan = this.#scan;
    const start = scan.position;
    let hash = 0;
    let byte = scan.byte;
    while (byte !== -1 && byte !== NEWLINE && byte !== COLON && !isGap(byte)) {
      hash = nextHash(hash, byte);
      scan.position += 1;
      byte = scan.byte;
    }
    const place = this.#places.get(hash);
    if (place === undefined) return undefined;
    const word = this.#words[place];
    if (word?.length !== scan.position - start) return undefined;
    for (let index = 0; index < word.length; index += 1) {
      if (word[index] !== text[start + index]) return undefined;
    }
    if (scan.byte === COLON) scan.position += 1;
    return place;
  }
}

function nextHash(hash: number, byte: number): number {
  return (Math.imul(hash, 31) + byte) | 0;
}
