import type { FileHandle } from 'node:fs/promises';
import type { z } from 'zod';
import { LockstepError } from '../../schemas/errors.ts';
import { decodeMessage } from '../../schemas/protocol.ts';
import { verifyCheck } from './checked-json.ts';
import { LINE_BYTES_MAX, readLines } from './line-reader.ts';
import type { Line } from './line-reader.ts';

/** A line that was read: what it says, or why it can't be told. */
export type RecordedLine<T> =
  | { readonly number: number; readonly value: T }
  | { readonly number: number; readonly damage: string };

/** How lines of a file are read. */
export interface LineReading {
  /** True if every line must carry a checksum. */
  readonly mustBeChecked: boolean;
  /** True if a last line without an end is one that is being written, and no damage. */
  readonly mayGrow: boolean;
  /** Is called with all bytes, in order. */
  readonly onChunk?: (chunk: Buffer) => void;
}

const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/**
 * Reads lines of JSON, each decoded by the schema, in batches and in order. Every line is judged by
 * itself: after a damaged one, reading goes on at the next line end.
 */
export async function* readRecordedLines<S extends z.ZodType>(
  file: FileHandle,
  schema: S,
  reading: LineReading,
): AsyncGenerator<RecordedLine<z.output<S>>[]> {
  const decoder = new LineDecoder(schema, reading.mustBeChecked);
  for await (const lines of readLines(file, reading.onChunk)) {
    const decoded: RecordedLine<z.output<S>>[] = [];
    for (const line of lines) {
      if (line.isWhole && line.bytes?.length === 0) continue;
      if (!line.isWhole && reading.mayGrow) continue;
      decoded.push(decoder.decode(line));
    }
    yield decoded;
  }
}

/** Decodes lines of one file; in a file with checksums, no line may be without one. */
export class LineDecoder<S extends z.ZodType> {
  readonly #schema: S;
  #mustBeChecked: boolean;

  constructor(schema: S, mustBeChecked: boolean) {
    this.#schema = schema;
    this.#mustBeChecked = mustBeChecked;
  }

  /** What a line says, or what is wrong with it. */
  decode({ number, bytes, isWhole }: Line): RecordedLine<z.output<S>> {
    if (bytes === undefined) return { number, damage: `is longer than ${LINE_BYTES_MAX} bytes` };
    if (!isWhole) return { number, damage: 'is cut off' };
    const check = verifyCheck(bytes);
    if (check === 'fails') return { number, damage: 'its checksum does not match' };
    if (check === 'absent' && this.#mustBeChecked) return { number, damage: 'has no checksum' };
    // Who writes checksums goes on doing so: a line without one is then not as it was written.
    if (check === 'holds') this.#mustBeChecked = true;
    let value: unknown;
    try {
      value = JSON.parse(UTF8.decode(bytes));
    } catch {
      return { number, damage: 'is no JSON text' };
    }
    try {
      return { number, value: decodeMessage(this.#schema, value, 'it') };
    } catch (error) {
      return { number, damage: reasonOf(error) };
    }
  }
}

function reasonOf(error: unknown): string {
  if (!(error instanceof LockstepError)) throw error;
  const reason = error.message.replace(/^invalid message from it: /, '').replaceAll(/\s+/g, ' ');
  return `does not have the form of such a line: ${reason.slice(0, 300)}`;
}
