import type { TrialResult } from '../../schemas/result.ts';

/**
 * Keeps, for the trial that is going, which devices still owe a result, and lets the dispatcher
 * wait for them. Results arrive from the recorder, after they are on disk.
 */
export class TrialBook {
  readonly #owing: Set<string>;
  readonly #results = new Map<string, TrialResult>();
  /** Called with each result that is noted. */
  onNote: (result: TrialResult) => void = () => undefined;
  readonly #complete = Promise.withResolvers<undefined>();

  constructor(deviceIds: readonly string[]) {
    this.#owing = new Set(deviceIds);
    if (this.#owing.size === 0) this.#complete.resolve(undefined);
    // Nobody may be waiting when it is given up; whoever waits next is told.
    this.#complete.promise.catch(() => undefined);
  }

  /** The devices whose result is not on disk yet. */
  get owing(): string[] {
    return [...this.#owing];
  }

  /** The results so far. */
  get results(): TrialResult[] {
    return [...this.#results.values()];
  }

  /** Takes a recorded result in. */
  note(result: TrialResult): void {
    this.#results.set(result.deviceId, result);
    this.#owing.delete(result.deviceId);
    this.onNote(result);
    if (this.#owing.size === 0) this.#complete.resolve(undefined);
  }

  /** Results can't be kept any more: waiting ends with this error. */
  giveUp(error: unknown): void {
    this.#complete.reject(error);
  }

  /**
   * Resolves when every device's result is on disk, or when the time is over or cancelled. Rejects
   * when it was given up.
   */
  async complete(timeoutMs: number, signal: AbortSignal): Promise<void> {
    const over = Promise.withResolvers<undefined>();
    const timer = setTimeout(() => {
      over.resolve(undefined);
    }, timeoutMs);
    const onAbort = (): void => {
      over.resolve(undefined);
    };
    signal.addEventListener('abort', onAbort, { once: true });
    if (signal.aborted) onAbort();
    try {
      await Promise.race([this.#complete.promise, over.promise]);
    } finally {
      clearTimeout(timer);
      signal.removeEventListener('abort', onAbort);
    }
  }
}
