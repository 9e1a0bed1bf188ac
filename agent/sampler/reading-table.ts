/** Rows of the last chunks of a table; the first one is smaller, and each doubles up to this. */
const CHUNK_ROWS_MAX = 2048;

const BYTES_PER_NUMBER = 8;

/** What all tables of one trial may take together. */
export class MemoryBudget {
  readonly maxBytes: number;
  usedBytes = 0;

  constructor(maxBytes: number) {
    this.maxBytes = maxBytes;
  }

  /** True if so much more is within the bound. */
  has(bytes: number): boolean {
    return this.usedBytes + bytes <= this.maxBytes;
  }
}

/** Readings one after the other. */
export interface ReadingChunk {
  /** CLOCK_MONOTONIC, ns; room for more than `rows` of them. */
  readonly monoNs: BigInt64Array<ArrayBuffer>;
  /** Row by row, a value per series. */
  readonly values: Float64Array<ArrayBuffer>;
  rows: number;
}

/**
 * The readings of one source: an instant and a value per series each. It grows by chunks, so that a
 * reading is copied once and a round allocates nothing.
 */
export class ReadingTable {
  /** Series in each row. */
  readonly width: number;
  readonly #budget: MemoryBudget;
  #chunks: ReadingChunk[] = [];
  #last: ReadingChunk;
  #lastMonoNs: bigint | undefined;

  constructor(width: number, firstRows: number, budget: MemoryBudget) {
    this.width = width;
    this.#budget = budget;
    this.#last = this.#addChunk(firstRows);
  }

  /** Bytes of a table with so many series per row. */
  static rowBytes(width: number): number {
    return (width + 1) * BYTES_PER_NUMBER;
  }

  /** Readings in it. */
  get rows(): number {
    return this.#chunks.reduce((sum, { rows }) => sum + rows, 0);
  }

  /** True if {@link grow} or {@link thin} must come before the next reading. */
  get isFull(): boolean {
    return this.#last.rows === this.#last.monoNs.length;
  }

  /** What {@link grow} takes. */
  get growthBytes(): number {
    return this.#nextRows() * ReadingTable.rowBytes(this.width);
  }

  /** Makes room for more readings. */
  grow(): void {
    this.#last = this.#addChunk(this.#nextRows());
  }

  /** Adds a reading; one that is not later than the last is left out, as time only goes on. */
  append(monoNs: bigint, row: Float64Array): boolean {
    if (this.#lastMonoNs !== undefined && monoNs <= this.#lastMonoNs) return false;
    const { rows, values } = this.#last;
    this.#last.monoNs[rows] = monoNs;
    let at = rows * this.width;
    for (let index = 0; index < this.width; index += 1) values[at++] = row[index] ?? Number.NaN;
    this.#last.rows = rows + 1;
    this.#lastMonoNs = monoNs;
    return true;
  }

  /** Drops every second reading, from the second on, and frees what that leaves empty. */
  thin(): void {
    const { width } = this;
    let [target, targetRow, index] = [0, 0, 0];
    for (const chunk of this.#chunks) {
      for (let row = 0; row < chunk.rows; row += 1) {
        index += 1;
        if (index % 2 === 0) continue;
        let into = this.#chunks[target];
        if (into !== undefined && targetRow === into.monoNs.length) {
          target += 1;
          targetRow = 0;
          into = this.#chunks[target];
        }
        if (into === undefined) return;
        into.monoNs[targetRow] = chunk.monoNs[row] ?? 0n;
        for (let column = 0; column < width; column += 1) {
          into.values[targetRow * width + column] =
            chunk.values[row * width + column] ?? Number.NaN;
        }
        targetRow += 1;
      }
    }
    for (const [place, chunk] of this.#chunks.entries()) {
      if (place < target) chunk.rows = chunk.monoNs.length;
    }
    this.#freeFrom(target + 1);
    this.#last = this.#chunks[target] ?? this.#last;
    this.#last.rows = targetRow;
    const { monoNs } = this.#last;
    if (targetRow > 0) this.#lastMonoNs = monoNs[targetRow - 1];
  }

  /** Gives all readings away and is empty then. */
  take(): ReadingChunk[] {
    const taken = this.#chunks.filter(({ rows }) => rows > 0);
    const rows = this.#last.monoNs.length;
    this.#freeFrom(0);
    this.#last = this.#addChunk(rows);
    return taken;
  }

  /** Gives all readings away and can take no more. */
  close(): ReadingChunk[] {
    const taken = this.#chunks.filter(({ rows }) => rows > 0);
    this.#freeFrom(0);
    return taken;
  }

  #nextRows(): number {
    return Math.min(this.#last.monoNs.length * 2, CHUNK_ROWS_MAX);
  }

  #addChunk(rows: number): ReadingChunk {
    const chunk = {
      monoNs: new BigInt64Array(rows),
      values: new Float64Array(rows * this.width),
      rows: 0,
    };
    this.#budget.usedBytes += rows * ReadingTable.rowBytes(this.width);
    this.#chunks.push(chunk);
    return chunk;
  }

  #freeFrom(place: number): void {
    for (const { monoNs } of this.#chunks.splice(place)) {
      this.#budget.usedBytes -= monoNs.length * ReadingTable.rowBytes(this.width);
    }
  }
}
