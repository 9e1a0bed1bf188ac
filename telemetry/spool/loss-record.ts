import { open } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { crc32 } from 'node:zlib';
import { SIGNALS } from '../payload.ts';
import type { Signal } from '../payload.ts';

/** Items that were lost, by signal. */
export type LostItems = Readonly<Record<Signal, number>>;

/** Nothing was lost. */
export const NOTHING_LOST: LostItems = { traces: 0, metrics: 0, logs: 0 };

const SLOT_BYTES = 128;
const LINE = /^([0-9a-f]{8}) (\d{1,15}) (\d{1,15}) (\d{1,15}) (\d{1,15})$/;

/**
 * A file that remembers over restarts how much was lost. It has two places of fixed size, which
 * are written in turn and in place: so it can be written on a full disk, and a torn write leaves
 * the other one.
 */
export class LossRecord {
  readonly #path: string;
  #generation = 0;

  constructor(path: string) {
    this.#path = path;
  }

  /** What was written last. Nothing lost if there is no file, or none of its places is whole. */
  async read(): Promise<LostItems> {
    let file: FileHandle;
    try {
      file = await open(this.#path, 'r');
    } catch {
      return NOTHING_LOST;
    }
    try {
      const buffer = Buffer.alloc(2 * SLOT_BYTES);
      const { bytesRead } = await file.read(buffer, 0, buffer.length, 0);
      const text = buffer.toString('latin1', 0, bytesRead);
      const slots = [0, 1].map((slot) => parseSlot(text.slice(slot * SLOT_BYTES)));
      const newest = slots.reduce(newer, undefined);
      this.#generation = newest?.generation ?? 0;
      return newest?.lost ?? NOTHING_LOST;
    } finally {
      await file.close();
    }
  }

  /** Writes what was lost; resolves when it would survive a power cut. Throws as the disk does. */
  async write(lost: LostItems): Promise<void> {
    const file = await this.#open();
    try {
      const slot = Buffer.from(formatSlot(this.#generation + 1, lost), 'latin1');
      const position = ((this.#generation + 1) % 2) * SLOT_BYTES;
      await file.write(slot, 0, slot.length, position);
      await file.datasync();
      this.#generation += 1;
    } finally {
      await file.close();
    }
  }

  async #open(): Promise<FileHandle> {
    try {
      return await open(this.#path, 'r+');
    } catch {
      const file = await open(this.#path, 'w+', 0o600);
      try {
        // Both places exist from the start, so that later writes need no more room.
        await file.write(Buffer.alloc(2 * SLOT_BYTES, ' '), 0, 2 * SLOT_BYTES, 0);
        return file;
      } catch (error) {
        await file.close();
        throw error;
      }
    }
  }
}

interface Slot {
  readonly generation: number;
  readonly lost: LostItems;
}

function newer(left: Slot | undefined, right: Slot | undefined): Slot | undefined {
  if (left === undefined || right === undefined) return left ?? right;
  return left.generation > right.generation ? left : right;
}

function formatSlot(generation: number, lost: LostItems): string {
  const values = [generation, ...SIGNALS.map((signal) => lost[signal])].join(' ');
  return `${checksum(values)} ${values}`.padEnd(SLOT_BYTES - 1).concat('\n');
}

function parseSlot(text: string): Slot | undefined {
  const line = text.slice(0, SLOT_BYTES).trim();
  const match = LINE.exec(line);
  if (match === null || match[1] !== checksum(line.slice(9))) return undefined;
  const [generation = 0, traces = 0, metrics = 0, logs = 0] = match.slice(2).map(Number);
  return { generation, lost: { traces, metrics, logs } };
}

function checksum(text: string): string {
  return crc32(text).toString(16).padStart(8, '0');
}
