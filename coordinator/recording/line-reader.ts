import type { FileHandle } from 'node:fs/promises';

/** One line of a file, without its end. */
export interface Line {
  /** From 1. */
  readonly number: number;
  /** Where it begins, bytes from the begin of the file. */
  readonly fromByte: number;
  /** Undefined if the line is longer than any that is read. */
  readonly bytes: Buffer | undefined;
  /** False for a last line without a line end: whoever wrote it did not come to its end. */
  readonly isWhole: boolean;
}

const CHUNK_BYTES = 256 * 1024;
const LINE_END = 0x0a;

/** Longest line that is read, bytes: the largest result has 1024 logs of 16 KiB. */
export const LINE_BYTES_MAX = 64 * 1024 * 1024;

/** Cuts bytes into lines as they come. Memory is bounded by the longest line. */
export class LineSplitter {
  readonly #lineBytesMax: number;
  #rest: Buffer[] = [];
  #restBytes = 0;
  #number = 0;
  #fromByte = 0;

  constructor(lineBytesMax = LINE_BYTES_MAX) {
    this.#lineBytesMax = lineBytesMax;
  }

  /** The lines that end in these bytes. They are parts of the buffers that were given. */
  push(chunk: Buffer): Line[] {
    const lines: Line[] = [];
    let from = 0;
    for (let end = chunk.indexOf(LINE_END); end !== -1; end = chunk.indexOf(LINE_END, from)) {
      this.#keep(chunk.subarray(from, end));
      lines.push(this.#take(true));
      from = end + 1;
    }
    if (from < chunk.length) this.#keep(chunk.subarray(from));
    return lines;
  }

  /** What is left without a line end. Undefined if nothing is. */
  finish(): Line | undefined {
    return this.#restBytes === 0 ? undefined : this.#take(false);
  }

  #keep(part: Buffer): void {
    this.#restBytes += part.length;
    if (this.#restBytes > this.#lineBytesMax) this.#rest = [];
    else this.#rest.push(part);
  }

  #take(isWhole: boolean): Line {
    this.#number += 1;
    const [only, second] = this.#rest;
    const isTooLong = this.#restBytes > this.#lineBytesMax;
    const bytes = second === undefined && only !== undefined ? only : Buffer.concat(this.#rest);
    const fromByte = this.#fromByte;
    this.#fromByte += this.#restBytes + 1;
    this.#rest = [];
    this.#restBytes = 0;
    return { number: this.#number, fromByte, bytes: isTooLong ? undefined : bytes, isWhole };
  }
}

/**
 * Reads a file line by line, in batches. A file may be larger than memory and than any string.
 *
 * @param onChunk is called with all bytes, in order, before the lines that end in them
 */
export async function* readLines(
  file: FileHandle,
  onChunk: (chunk: Buffer) => void = () => undefined,
): AsyncGenerator<Line[]> {
  const splitter = new LineSplitter();
  for await (const chunk of readChunks(file)) {
    onChunk(chunk);
    yield splitter.push(chunk);
  }
  const rest = splitter.finish();
  if (rest !== undefined) yield [rest];
}

/** Reads a file from a position to its end, each time into a buffer of its own. */
export async function* readChunks(file: FileHandle, fromBytes = 0): AsyncGenerator<Buffer> {
  for (let position = fromBytes; ;) {
    const buffer = Buffer.allocUnsafe(CHUNK_BYTES);
    const { bytesRead } = await file.read(buffer, 0, CHUNK_BYTES, position);
    if (bytesRead === 0) return;
    position += bytesRead;
    yield buffer.subarray(0, bytesRead);
  }
}
