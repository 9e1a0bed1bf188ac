import { closeSync, openSync, readSync, statSync } from 'node:fs';
import { errorMessageOf } from '../../schemas/errors.ts';
import { TEXT_BYTES_MAX } from './text-store.ts';

/**
 * What was last read by any {@link KeptFile} that was not told where to: one buffer for all, for
 * texts that are parsed before the next is read.
 */
export const TEXT = Buffer.allocUnsafeSlow(TEXT_BYTES_MAX);

// Of a sequence of records the kernel gives what fits into a page of its own, the smallest being
// 4 KiB. Less than that without the longest record is all there is.
const SURELY_ALL_BYTES = 2048;

/**
 * absent: the file is not there, or has nothing to read now. ended: what it told of is gone for
 * ever. A number: so many bytes were read.
 */
export type TextLength = number | 'absent' | 'ended';

/** How a file is read. */
export interface KeptFileOptions {
  /**
   * True for a file of many records, such as `/proc/net/dev`: the kernel gives those a page at a
   * time. All others come as a whole, in one call, and so from one instant.
   */
  readonly inRecords?: boolean;
}

/**
 * A file of the kernel that is opened once and read again and again: opening costs more than most
 * readings. It is opened by the first reading that finds it, so it may be made later.
 */
export class KeptFile {
  readonly path: string;
  readonly #inRecords: boolean;
  #descriptor: number | undefined;
  #hasEnded = false;

  constructor(path: string, options: KeptFileOptions = {}) {
    this.path = path;
    this.#inRecords = options.inRecords ?? false;
  }

  /** Opens the file now. Returns why that can't be done, or undefined if it is open. */
  open(): string | undefined {
    try {
      this.#descriptor ??= openSync(this.path, 'r');
      return undefined;
    } catch (error) {
      return errorMessageOf(error);
    }
  }

  /**
   * Reads the text from its beginning, {@link TEXT_BYTES_MAX} of it at most, into `bytes` from the
   * place `at` on. Throws nothing.
   */
  read(bytes: Uint8Array = TEXT, at = 0): TextLength {
    if (this.#descriptor === undefined && !this.#openIfThere()) {
      return this.#hasEnded ? 'ended' : 'absent';
    }
    try {
      return this.#readAll(this.#descriptor ?? -1, bytes, at);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      // A control group that was removed, and a process that ended. One of the same name that is
      // made later is another.
      if (code !== 'ENODEV' && code !== 'ESRCH') return 'absent';
      this.close();
      return 'ended';
    }
  }

  /** Closes the file; it is not opened again. */
  close(): void {
    this.#hasEnded = true;
    if (this.#descriptor === undefined) return;
    const descriptor = this.#descriptor;
    this.#descriptor = undefined;
    closeSync(descriptor);
  }

  #openIfThere(): boolean {
    // A look is cheaper than the error of an attempt.
    if (this.#hasEnded || statSync(this.path, { throwIfNoEntry: false }) === undefined) {
      return false;
    }
    return this.open() === undefined;
  }

  #readAll(descriptor: number, bytes: Uint8Array, at: number): number {
    const room = Math.min(TEXT_BYTES_MAX, bytes.length - at);
    let length = readSync(descriptor, bytes, at, room, 0);
    if (!this.#inRecords) return length;
    let read = length;
    while (read > SURELY_ALL_BYTES && length < room) {
      read = readSync(descriptor, bytes, at + length, room - length, length);
      length += read;
    }
    return length;
  }
}
