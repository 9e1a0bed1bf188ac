import { mkdir, readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Logger } from 'pino';
import { errorMessageOf, LockstepError } from '../../schemas/errors.ts';
import type { Payload, PayloadSink, Signal } from '../payload.ts';
import { LossRecord, NOTHING_LOST } from './loss-record.ts';
import type { LostItems } from './loss-record.ts';
import {
  formatSpoolName,
  newSpoolName,
  parseSpoolName,
  readSpoolFile,
  UNFINISHED_SUFFIX,
  writeSpoolFile,
} from './spool-file.ts';
import type { SpoolName } from './spool-file.ts';

/** Where payloads wait, and how many. */
export interface SpoolOptions {
  readonly folder: string;
  /** Bytes that may wait on disk. Default 256 MiB. */
  readonly maxBytes?: number;
  /** Payloads that may wait on disk. Default 20 000. */
  readonly maxFiles?: number;
  /** Bytes that may wait in memory for the disk. Default 64 MiB. */
  readonly maxUnwrittenBytes?: number;
  readonly logger?: Logger;
}

/** A payload that waits in a spool. */
export interface SpooledPayload extends Payload {
  /** The name of its file: no other payload ever has it, on any device. */
  readonly id: string;
}

/** How a spool stands. */
export interface SpoolStatistics {
  readonly pendingFiles: number;
  readonly pendingBytes: number;
  readonly pendingItems: number;
  /** Since the spool was made, over all restarts. */
  readonly lostItems: LostItems;
}

interface Entry {
  readonly name: SpoolName;
  readonly sizeBytes: number;
}

const MIB = 1024 * 1024;
const LOSS_FILE = 'lost';

/**
 * Opens the spool in a folder, with what an earlier process left there. One process at a time may
 * have it open. What it finds unfinished or over its bounds is lost, and counted.
 *
 * @throws LockstepError STORAGE_FAILED if the folder cannot be made or read.
 */
export async function openSpool(options: SpoolOptions): Promise<Spool> {
  const { folder } = options;
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const record = new LossRecord(join(folder, LOSS_FILE));
    const spool = new Spool(options, record, await record.read());
    await spool.recover(await readdir(folder));
    return spool;
  } catch (cause) {
    throw new LockstepError(
      'STORAGE_FAILED',
      `opening the spool ${folder} failed: ${errorMessageOf(cause)}`,
      { cause, hint: 'Check that the disk is mounted read-write and healthy.' },
    );
  }
}

/**
 * Payloads on disk until they have arrived, in order. It is bounded: the oldest go first, and what
 * the disk refuses is lost at once. Every loss is counted, by signal, and remembered.
 */
export class Spool implements PayloadSink {
  readonly #options: SpoolOptions;
  readonly #record: LossRecord;
  readonly #entries: Entry[] = [];
  readonly #listeners = new Set<() => void>();
  #lost: LostItems;
  #isLossWritten = true;
  #sequence = 0;
  #pendingBytes = 0;
  #pendingItems = 0;
  #unwrittenBytes = 0;
  #tail: Promise<void> = Promise.resolve();
  #lossTail: Promise<void> = Promise.resolve();
  #taken: Entry | undefined;
  #isRefusing = false;
  #isClosed = false;

  constructor(options: SpoolOptions, record: LossRecord, lost: LostItems = NOTHING_LOST) {
    this.#options = options;
    this.#record = record;
    this.#lost = lost;
  }

  /** How it stands now. */
  get statistics(): SpoolStatistics {
    return {
      pendingFiles: this.#entries.length,
      pendingBytes: this.#pendingBytes,
      pendingItems: this.#pendingItems,
      lostItems: this.#lost,
    };
  }

  /** Takes over what the folder holds; for {@link openSpool}. */
  async recover(files: readonly string[]): Promise<void> {
    for (const file of [...files].sort()) {
      const isUnfinished = file.endsWith(UNFINISHED_SUFFIX);
      const name = parseSpoolName(isUnfinished ? file.slice(0, -UNFINISHED_SUFFIX.length) : file);
      if (name === undefined) {
        if (file !== LOSS_FILE) this.#warn({ file }, 'file in the spool is not of it: left alone');
        continue;
      }
      this.#sequence = Math.max(this.#sequence, name.sequence);
      if (isUnfinished) {
        this.#warn({ file }, 'payload was not written to its end: lost');
        await this.#lose(name);
        await rm(join(this.#options.folder, file), { force: true }).catch(() => undefined);
      } else {
        const { size } = await stat(join(this.#options.folder, file));
        this.#insert({ name, sizeBytes: size });
      }
    }
    await this.#makeRoom(0).catch(() => false);
  }

  /**
   * Takes a payload; resolves when it would survive a power cut here, or is lost and counted.
   * Never rejects.
   */
  async add(payload: Payload): Promise<void> {
    const sizeBytes = payload.bytes.byteLength;
    const { maxUnwrittenBytes = 64 * MIB } = this.#options;
    if (this.#isClosed || this.#unwrittenBytes + sizeBytes > maxUnwrittenBytes) {
      this.#note(this.#isClosed ? 'the spool is closed' : 'the disk is too slow');
      await this.#lose(payload);
      return;
    }
    this.#unwrittenBytes += sizeBytes;
    const work = this.#tail.then(() => this.#keep(payload));
    this.#tail = work;
    await work;
    this.#unwrittenBytes -= sizeBytes;
  }

  /**
   * The oldest payload; undefined if there is none. It stays until {@link remove}, {@link drop} or
   * {@link putBack} is called with it, and no other may be taken before.
   *
   * @throws what the disk says if the payload can't be read now.
   */
  async take(): Promise<SpooledPayload | undefined> {
    for (let entry = this.#entries[0]; entry !== undefined; entry = this.#entries[0]) {
      this.#taken = entry;
      try {
        const bytes = await readSpoolFile(this.#options.folder, entry.name);
        if (bytes !== undefined) {
          const { signal, items } = entry.name;
          return { signal, items, bytes, id: formatSpoolName(entry.name) };
        }
      } catch (error) {
        this.#taken = undefined;
        throw error;
      }
      this.#warn({ file: formatSpoolName(entry.name) }, 'file of the spool is damaged: lost');
      await this.drop();
    }
    return undefined;
  }

  /** What was taken has arrived. */
  async remove(): Promise<void> {
    const entry = this.#taken;
    if (entry === undefined) return;
    this.#taken = undefined;
    this.#detach(entry);
    await this.#unlink(entry);
  }

  /** What was taken can never arrive: it is lost. */
  async drop(): Promise<void> {
    if (this.#taken !== undefined) await this.#lose(this.#taken.name);
    await this.remove();
  }

  /** What was taken has not arrived: it will be taken again. */
  putBack(): void {
    this.#taken = undefined;
  }

  /** Calls the listener when a payload came; returns the function that ends that. */
  onArrival(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Takes no more; resolves when what came before is on disk, and the losses, if it lets. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#tail;
    await this.#writeLoss();
  }

  async #keep(payload: Payload): Promise<void> {
    try {
      const sizeBytes = payload.bytes.byteLength;
      const lostBefore = this.#lost;
      if (!(await this.#makeRoom(sizeBytes))) {
        this.#note(`its bound is below ${sizeBytes} bytes, or what is being sent fills it`);
        await this.#lose(payload);
        return;
      }
      const name = newSpoolName(this.#sequence + 1, payload);
      await writeSpoolFile(this.#options.folder, formatSpoolName(name), payload.bytes);
      this.#sequence = name.sequence;
      this.#insert({ name, sizeBytes });
      if (this.#lost === lostBefore) this.#isRefusing = false;
      for (const listener of this.#listeners) listener();
    } catch (error) {
      this.#note(errorMessageOf(error));
      await this.#lose(payload);
    }
  }

  // What is being sent is not given up: it may have arrived already.
  async #makeRoom(newBytes: number): Promise<boolean> {
    const { maxBytes = 256 * MIB, maxFiles = 20_000 } = this.#options;
    const newFiles = newBytes > 0 ? 1 : 0;
    if (newBytes > maxBytes) return false;
    while (this.#pendingBytes + newBytes > maxBytes || this.#entries.length + newFiles > maxFiles) {
      const oldest = this.#entries.find((entry) => entry !== this.#taken);
      if (oldest === undefined) return false;
      this.#note('it is full: the oldest payloads go');
      await this.#giveUp(oldest);
    }
    return true;
  }

  async #giveUp(entry: Entry): Promise<void> {
    this.#detach(entry);
    // Counted first: after a crash in between it is rather told as lost than forgotten.
    await this.#lose(entry.name);
    try {
      await rm(this.#pathOf(entry), { force: true });
    } catch (error) {
      const { signal, items } = entry.name;
      await this.#lose({ signal, items: -items });
      this.#insert(entry, 0);
      throw error;
    }
  }

  #insert(entry: Entry, index = this.#entries.length): void {
    this.#entries.splice(index, 0, entry);
    this.#pendingBytes += entry.sizeBytes;
    this.#pendingItems += entry.name.items;
  }

  // At once, so that nobody takes it meanwhile.
  #detach(entry: Entry): void {
    this.#entries.splice(this.#entries.indexOf(entry), 1);
    this.#pendingBytes -= entry.sizeBytes;
    this.#pendingItems -= entry.name.items;
  }

  async #unlink(entry: Entry): Promise<void> {
    const path = this.#pathOf(entry);
    // Left behind by a failing removal it would be sent again after a restart, under its old id.
    await rm(path, { force: true }).catch((error: unknown) => {
      this.#warn({ path, error: errorMessageOf(error) }, 'file of the spool not removed');
    });
  }

  #pathOf({ name }: Entry): string {
    return join(this.#options.folder, formatSpoolName(name));
  }

  async #lose({ signal, items }: { signal: Signal; items: number }): Promise<void> {
    this.#lost = { ...this.#lost, [signal]: this.#lost[signal] + items };
    this.#isLossWritten = false;
    await this.#writeLoss();
  }

  // One after another; what was lost meanwhile goes with the next.
  async #writeLoss(): Promise<void> {
    this.#lossTail = this.#lossTail.then(async () => {
      if (this.#isLossWritten) return;
      this.#isLossWritten = true;
      await this.#record.write(this.#lost).catch(() => {
        this.#isLossWritten = false;
      });
    });
    await this.#lossTail;
  }

  /** Says once why it refuses, until it takes a payload again. */
  #note(reason: string): void {
    if (this.#isRefusing) return;
    this.#isRefusing = true;
    this.#warn({ reason, folder: this.#options.folder }, 'spool loses telemetry');
  }

  #warn(facts: object, message: string): void {
    this.#options.logger?.warn(facts, message);
  }
}
