import { setTimeout as delay } from 'node:timers/promises';
import { retryPauseMs } from '../../telemetry/spool/retry-pause.ts';

/**
 * Holds back what goes to an endpoint that fails: nothing enters during a pause, and after it one
 * at a time, until something succeeds.
 */
export class BackOffGate {
  readonly #closing: AbortSignal;
  #failures = 0;
  #openAtMs = 0;
  #isProbing = false;
  #turn = Promise.withResolvers<undefined>();

  /** @param closing nothing enters any more once it aborts */
  constructor(closing: AbortSignal) {
    this.#closing = closing;
    closing.addEventListener(
      'abort',
      () => {
        this.#wake();
      },
      { once: true },
    );
  }

  /** Resolves with true when one may be sent: then {@link leave} must follow. False: closing. */
  async enter(): Promise<boolean> {
    while (!this.#closing.aborted) {
      if (this.#failures === 0) return true;
      const waitMs = this.#openAtMs - performance.now();
      if (waitMs > 0) {
        await delay(waitMs, undefined, { signal: this.#closing }).catch(() => undefined);
      } else if (this.#isProbing) {
        await this.#turn.promise;
      } else {
        this.#isProbing = true;
        return true;
      }
    }
    return false;
  }

  /**
   * What entered is back.
   *
   * @param failure it must be tried again, and perhaps not before a while
   */
  leave(failure?: { readonly afterMs?: number | undefined }): void {
    this.#isProbing = false;
    if (failure === undefined) {
      this.#failures = 0;
    } else {
      // What was on its way together fails together: that counts once.
      if (performance.now() >= this.#openAtMs) this.#failures += 1;
      const openAtMs = performance.now() + retryPauseMs(this.#failures, failure.afterMs);
      this.#openAtMs = Math.max(this.#openAtMs, openAtMs);
    }
    this.#wake();
  }

  #wake(): void {
    this.#turn.resolve(undefined);
    this.#turn = Promise.withResolvers<undefined>();
  }
}
