import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from 'pino';
import { backOffMs } from '../../bus/back-off.ts';
import { errorMessageOf } from '../../schemas/errors.ts';
import type { Delivery } from '../payload.ts';
import { settledWithin } from '../settled-within.ts';
import { retryPauseMs } from './retry-pause.ts';
import type { Spool, SpooledPayload } from './spool.ts';

/** Where a spool is emptied to: any destination, or one that needs the name of each payload. */
export interface SpoolDestination {
  readonly name: string;
  /** Sends once, within a deadline. Never throws. */
  send(payload: SpooledPayload, signal: AbortSignal): Promise<Delivery>;
  /** Resolves when sending makes sense, or the signal aborts. Absent: always. */
  ready?(signal: AbortSignal): Promise<void>;
  close(): Promise<void>;
}

/** What became of what was sent, since the drainer was made. */
export interface DrainerStatistics {
  readonly acceptedItems: number;
  /** Refused by the destination in payloads that it accepted. */
  readonly rejectedItems: number;
  /** In payloads that the destination refused; the spool counts them as lost, too. */
  readonly refusedItems: number;
  readonly retries: number;
  readonly lastError: string | undefined;
}

const CLOSE_DEADLINE_MS = 2000;
/** What a destination may take to end once it is told to, ms. */
const ABORT_DEADLINE_MS = 500;
const READ_RETRY = { baseMs: 500, capMs: 30_000 };

/**
 * Empties a spool into a destination: oldest first, one at a time, again and again until it is
 * accepted or refused. A payload leaves the disk after that, so each arrives at least once.
 */
export class Drainer {
  readonly #spool: Spool;
  readonly #destination: SpoolDestination;
  readonly #logger: Logger | undefined;
  readonly #closing = new AbortController();
  readonly #cut = new AbortController();
  #statistics: DrainerStatistics = {
    ...{ acceptedItems: 0, rejectedItems: 0, refusedItems: 0 },
    ...{ retries: 0, lastError: undefined },
  };
  #working: Promise<void> | undefined;
  #changed = Promise.withResolvers<undefined>();
  #isPaused = false;
  #isSending = false;
  #failures = 0;

  constructor(spool: Spool, destination: SpoolDestination, logger?: Logger) {
    this.#spool = spool;
    this.#destination = destination;
    this.#logger = logger;
  }

  /** What became of what was sent. */
  get statistics(): DrainerStatistics {
    return this.#statistics;
  }

  /** True while a payload is on its way. */
  get isSending(): boolean {
    return this.#isSending;
  }

  /** Begins, and goes on until {@link close}. */
  start(): void {
    if (this.#working !== undefined || this.#closing.signal.aborted) return;
    const stop = this.#spool.onArrival(() => {
      this.#change();
    });
    this.#working = this.#work().finally(stop);
  }

  /** From now on nothing begins to be sent; what is on its way ends. */
  pause(): void {
    this.#isPaused = true;
  }

  /** Sends again. */
  resume(): void {
    this.#isPaused = false;
    this.#change();
  }

  /**
   * Resolves with true when nothing waits any more; with false after the deadline, or as soon as
   * nothing can leave because it is paused or closed.
   */
  async flush(timeoutMs: number): Promise<boolean> {
    const deadline = AbortSignal.timeout(timeoutMs);
    for (;;) {
      if (this.#spool.statistics.pendingFiles === 0) return true;
      const isIdle = !this.#isSending && (this.#isPaused || this.#closing.signal.aborted);
      if (isIdle || this.#working === undefined || deadline.aborted) return false;
      await this.#untilChange(deadline);
    }
  }

  /**
   * Begins nothing more, lets what is on its way end within the time given, then cuts it off.
   * What is left stays in the spool. The destination is closed.
   */
  async close(timeoutMs = CLOSE_DEADLINE_MS): Promise<void> {
    this.#closing.abort();
    this.#change();
    const working = this.#working ?? Promise.resolve();
    await within(working, timeoutMs);
    this.#cut.abort();
    await within(working, ABORT_DEADLINE_MS);
    await within(this.#destination.close(), ABORT_DEADLINE_MS);
  }

  async #work(): Promise<void> {
    const { signal } = this.#closing;
    while (!signal.aborted) {
      if (this.#isPaused || this.#spool.statistics.pendingFiles === 0) {
        await this.#untilChange(signal);
        continue;
      }
      await this.#destination.ready?.(signal);
      // The gate may have closed while it waited.
      if (this.#mustWait()) continue;
      const pauseMs = await this.#sendOldest();
      this.#change();
      if (pauseMs > 0) await delay(pauseMs, undefined, { signal }).catch(() => undefined);
    }
  }

  #mustWait(): boolean {
    return this.#isPaused || this.#closing.signal.aborted;
  }

  /** Sends one, and returns how long to wait before the next, ms. */
  async #sendOldest(): Promise<number> {
    this.#isSending = true;
    try {
      const payload = await this.#spool.take();
      if (payload === undefined) return 0;
      if (this.#mustWait()) {
        this.#spool.putBack();
        return 0;
      }
      const delivery = await this.#destination.send(payload, this.#cut.signal);
      return await this.#settle(payload, delivery);
    } catch (error) {
      this.#spool.putBack();
      this.#noteFailure(errorMessageOf(error));
      return backOffMs(this.#failures, READ_RETRY);
    } finally {
      this.#isSending = false;
    }
  }

  async #settle(payload: SpooledPayload, delivery: Delivery): Promise<number> {
    const before = this.#statistics;
    if (delivery.outcome === 'retry') {
      this.#spool.putBack();
      this.#noteFailure(delivery.message);
      return retryPauseMs(this.#failures, delivery.afterMs);
    }
    this.#failures = 0;
    if (delivery.outcome === 'refused') {
      this.#tell({ items: payload.items, error: delivery.message }, 'telemetry refused: lost');
      this.#statistics = {
        ...before,
        refusedItems: before.refusedItems + payload.items,
        lastError: delivery.message,
      };
      await this.#spool.drop();
      return 0;
    }
    const { rejected, message } = delivery;
    if (rejected > 0) this.#tell({ rejected, error: message }, 'telemetry refused in part');
    this.#statistics = {
      ...before,
      acceptedItems: before.acceptedItems + Math.max(0, payload.items - rejected),
      rejectedItems: before.rejectedItems + rejected,
      lastError: rejected > 0 ? (message ?? 'refused in part') : before.lastError,
    };
    await this.#spool.remove();
    return 0;
  }

  #noteFailure(message: string): void {
    this.#failures += 1;
    const { retries } = this.#statistics;
    this.#statistics = { ...this.#statistics, retries: retries + 1, lastError: message };
    if (this.#failures === 1) this.#tell({ error: message }, 'telemetry waits: will be sent again');
  }

  #tell(facts: object, message: string): void {
    this.#logger?.warn({ destination: this.#destination.name, ...facts }, message);
  }

  #change(): void {
    this.#changed.resolve(undefined);
    this.#changed = Promise.withResolvers<undefined>();
  }

  /** Resolves at the next change, or when the signal aborts. */
  async #untilChange(signal: AbortSignal): Promise<void> {
    if (signal.aborted) return;
    const aborted = Promise.withResolvers<undefined>();
    const onAbort = (): void => {
      aborted.resolve(undefined);
    };
    signal.addEventListener('abort', onAbort, { once: true });
    await Promise.race([this.#changed.promise, aborted.promise]);
    signal.removeEventListener('abort', onAbort);
  }
}

/** A failure is as good an end as any: the deadline is all that counts. */
async function within(work: Promise<unknown>, timeoutMs: number): Promise<void> {
  await settledWithin(
    work.catch(() => undefined),
    timeoutMs,
  );
}
