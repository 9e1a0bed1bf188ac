import type { Logger } from 'pino';
import { errorMessageOf, LockstepError } from '../schemas/errors.ts';
import { backOffMs } from './back-off.ts';
import type { Bus } from './bus.ts';
import { OutboxFolder } from './outbox-folder.ts';
import type { OutboxMessage } from './outbox-folder.ts';
import { publishDurable } from './streams.ts';
import { checkMessageSize, MAX_MESSAGE_BYTES } from './wire-format.ts';

/** Where messages wait, and how many. */
export interface OutboxOptions {
  folder: string;
  /** Messages that may wait. Default 100 000. */
  maxMessages?: number;
  /** Bytes that may wait. Default 1 GiB. */
  maxBytes?: number;
  /**
   * Called when the disk refuses a message (STORAGE_FULL or STORAGE_FAILED; the message is kept in
   * memory and tried again), and with undefined when it takes messages again.
   */
  onStorage?: (error: LockstepError | undefined) => void;
  logger?: Logger;
}

interface Entry {
  readonly sequence: number;
  readonly sizeBytes: number;
  /** Kept until it is on disk. Absent: on disk. */
  message: OutboxMessage | undefined;
  /** Settles what `add` returned. Absent: it was there at the start. */
  waiter: PromiseWithResolvers<void> | undefined;
  isDone: boolean;
}

/** What a pause may be cut short for. */
type WakeReason = 'work' | 'arrival' | 'connection' | 'close';

const LONGEST_PAUSE_MS = 60_000;
const RETRY = { baseMs: 100, capMs: 5000 };
const PUBLISH_TIMEOUT_MS = 5000;
const CLOSE_DEADLINE_MS = 7000;

/**
 * Opens the outbox in a folder, with what an earlier process left there.
 *
 * @throws LockstepError STORAGE_FAILED if the folder cannot be made or read.
 */
export async function openOutbox(options: OutboxOptions): Promise<Outbox> {
  const folder = new OutboxFolder(options.folder, options.logger);
  const found = await folder.open();
  const entries = found.map((file): Entry => ({
    ...file,
    message: undefined,
    waiter: undefined,
    isDone: false,
  }));
  return new Outbox(folder, entries, options);
}

/**
 * Messages that must reach a stream, kept on disk until the server has acknowledged them. They are
 * sent in order, one at a time, again and again with jittered back-off, under their message id: so
 * each arrives at least once, and counts once within the stream's duplicate window.
 */
export class Outbox {
  readonly #folder: OutboxFolder;
  readonly #entries: Entry[];
  readonly #options: OutboxOptions;
  readonly #wakers = new Set<(reason: WakeReason) => void>();
  #bus: Bus | undefined;
  #nextSequence: number;
  #pendingBytes: number;
  #writing: Promise<void> | undefined;
  #sending: Promise<void> | undefined;
  #storageError: LockstepError | undefined;
  #isClosed = false;
  #isHeld = false;

  constructor(folder: OutboxFolder, entries: Entry[], options: OutboxOptions) {
    this.#folder = folder;
    this.#entries = entries;
    this.#options = options;
    this.#nextSequence = (entries.at(-1)?.sequence ?? 0) + 1;
    this.#pendingBytes = entries.reduce((sum, entry) => sum + entry.sizeBytes, 0);
  }

  /** How many messages wait for their acknowledgement. */
  get pending(): number {
    return this.#entries.length;
  }

  /** How many bytes wait. */
  get pendingBytes(): number {
    return this.#pendingBytes;
  }

  /** Begins to send, and goes on until {@link close}. */
  start(bus: Bus): void {
    if (this.#bus !== undefined || this.#isClosed) return;
    this.#bus = bus;
    const stop = bus.onStatus((status) => {
      if (status.type === 'connected') this.#wake('connection');
    });
    this.#sending = this.#sendUntilClosed(bus).finally(stop);
  }

  /** Begins to send nothing until {@link letGo}; what is on its way still arrives. */
  hold(): void {
    this.#isHeld = true;
  }

  /** Sends again. */
  letGo(): void {
    this.#isHeld = false;
    this.#wake('work');
  }

  /**
   * Takes a message; resolves when it would survive a power cut here or is acknowledged there.
   *
   * @throws LockstepError STORAGE_FULL at once if too much waits already.
   * @throws LockstepError MESSAGE_INVALID if it is too big.
   */
  async add(subject: string, id: string, bytes: Uint8Array): Promise<void> {
    const { maxMessages = 100_000, maxBytes = 1024 ** 3 } = this.#options;
    checkMessageSize(bytes.byteLength, MAX_MESSAGE_BYTES);
    if (this.#isClosed) throw new LockstepError('CANCELLED', `outbox closed before message ${id}`);
    if (this.pending >= maxMessages || this.#pendingBytes + bytes.byteLength > maxBytes) {
      throw new LockstepError(
        'STORAGE_FULL',
        `outbox is full: ${this.pending} messages, ${this.#pendingBytes} bytes wait`,
        { hint: 'Restore the connection to the server, so that they can leave.' },
      );
    }
    const waiter = Promise.withResolvers<undefined>() as PromiseWithResolvers<void>;
    this.#entries.push({
      sequence: this.#nextSequence,
      sizeBytes: bytes.byteLength,
      message: { subject, id, bytes },
      waiter,
      isDone: false,
    });
    this.#nextSequence += 1;
    this.#pendingBytes += bytes.byteLength;
    this.#writing ??= this.#writeAll().finally(() => {
      this.#writing = undefined;
    });
    this.#wake('work');
    return waiter.promise;
  }

  /** Resolves with true when nothing waits any more, with false after the deadline. */
  async flush(timeoutMs: number): Promise<boolean> {
    const deadlineMs = performance.now() + timeoutMs;
    while (this.pending > 0) {
      const leftMs = deadlineMs - performance.now();
      if (leftMs <= 0 || this.#isClosed) return false;
      await this.#pause(leftMs, ['arrival']);
    }
    return true;
  }

  /** Stops; what is on disk stays there for the next start. */
  async close(): Promise<void> {
    this.#isClosed = true;
    const ended = Promise.allSettled([this.#writing, this.#sending]);
    this.#wake('close');
    let timer: NodeJS.Timeout | undefined;
    const deadline = new Promise((resolve) => {
      timer = setTimeout(resolve, CLOSE_DEADLINE_MS);
    });
    await Promise.race([ended, deadline]);
    clearTimeout(timer);
    for (const { waiter, message } of this.#entries) {
      waiter?.reject(
        this.#storageError ??
          new LockstepError('CANCELLED', `outbox closed before message ${message?.id ?? ''}`),
      );
    }
  }

  async #writeAll(): Promise<void> {
    for (let failures = 0; ;) {
      const entry = this.#entries.find(({ message }) => message !== undefined);
      if (entry?.message === undefined) return;
      if (this.#isClosed && failures > 0) return;
      try {
        await this.#folder.write(entry.sequence, entry.message);
        entry.message = undefined;
        failures = 0;
        this.#noteStorage(undefined);
        entry.waiter?.resolve();
        entry.waiter = undefined;
        if (entry.isDone) await this.#folder.remove(entry.sequence);
        this.#wake('work');
      } catch (error) {
        failures += 1;
        this.#noteStorage(error as LockstepError);
        await this.#pause(backOffMs(failures, RETRY), ['arrival']);
      }
    }
  }

  async #sendUntilClosed(bus: Bus): Promise<void> {
    let failures = 0;
    while (!this.#isClosed) {
      const entry = this.#entries[0];
      // Before it is on disk it is only sent when the disk refuses it.
      if (
        this.#isHeld ||
        entry === undefined ||
        (entry.message !== undefined && this.#storageError === undefined)
      ) {
        await this.#pause(LONGEST_PAUSE_MS, ['work']);
        continue;
      }
      if (!bus.isConnected) {
        // What is published now would be lost, and found out only at its deadline.
        await this.#pause(LONGEST_PAUSE_MS, ['connection']);
        continue;
      }
      try {
        await this.#send(bus, entry);
        failures = 0;
      } catch (error) {
        failures += 1;
        this.#options.logger?.[failures === 1 ? 'warn' : 'debug'](
          { pending: this.pending, failures, error: errorMessageOf(error) },
          'outbox could not deliver, will try again',
        );
        await this.#pause(backOffMs(failures, RETRY), ['connection']);
      }
    }
  }

  async #send(bus: Bus, entry: Entry): Promise<void> {
    const message = entry.message ?? (await this.#folder.read(entry.sequence));
    if (message !== undefined) {
      const { subject, id, bytes } = message;
      try {
        await publishDurable(bus, subject, bytes, { id, timeoutMs: PUBLISH_TIMEOUT_MS });
      } catch (error) {
        if (!(error instanceof LockstepError) || error.code !== 'MESSAGE_INVALID') throw error;
        this.#options.logger?.error({ id, error: error.message }, 'message can never be stored');
        if (entry.message === undefined) {
          await this.#folder.setAside(entry.sequence, error.message);
        }
      }
    }
    await this.#finish(entry);
  }

  async #finish(entry: Entry): Promise<void> {
    entry.isDone = true;
    // Left on disk by a failing removal it would be sent once more, which its id makes harmless.
    await this.#folder.remove(entry.sequence).catch((error: unknown) => {
      this.#options.logger?.warn({ error: errorMessageOf(error) }, 'outbox file not removed');
    });
    this.#entries.splice(this.#entries.indexOf(entry), 1);
    this.#pendingBytes -= entry.sizeBytes;
    entry.waiter?.resolve();
    entry.waiter = undefined;
    this.#wake('arrival');
  }

  #noteStorage(error: LockstepError | undefined): void {
    const hasChanged = this.#storageError?.code !== error?.code;
    this.#storageError = error;
    if (!hasChanged) return;
    if (error !== undefined) {
      this.#options.logger?.error({ error: error.message }, 'outbox cannot write to its disk');
      this.#wake('work');
    }
    this.#options.onStorage?.(error);
  }

  // Resolves after a while, or earlier when one of the named things happens, or at close.
  async #pause(ms: number, reasons: readonly WakeReason[]): Promise<void> {
    if (this.#isClosed) return;
    const { promise, resolve } = Promise.withResolvers<undefined>();
    const timer = setTimeout(resolve, Math.min(ms, LONGEST_PAUSE_MS), undefined);
    const waker = (reason: WakeReason): void => {
      if (this.#isClosed || reasons.includes(reason)) resolve(undefined);
    };
    this.#wakers.add(waker);
    await promise;
    clearTimeout(timer);
    this.#wakers.delete(waker);
  }

  #wake(reason: WakeReason): void {
    for (const waker of this.#wakers) waker(reason);
  }
}
