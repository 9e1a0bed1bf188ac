import { LockstepError } from '../../schemas/errors.ts';
import type { BarrierRecord } from '../../schemas/result.ts';
import type { Clock } from '../clock/clock.ts';
import { awaitInstant } from './start-barrier.ts';

/** Takes one trial through its named barriers: tells of each arrival and waits to be released. */
export class BarrierPasser {
  /** The barriers passed so far, in order. */
  readonly records: BarrierRecord[] = [];
  readonly #clock: Clock;
  readonly #signal: AbortSignal;
  readonly #onArrival: (name: string) => void;
  readonly #waiting = new Map<string, PromiseWithResolvers<bigint>>();

  constructor(clock: Clock, signal: AbortSignal, onArrival: (name: string) => void) {
    this.#clock = clock;
    this.#signal = signal;
    this.#onArrival = onArrival;
  }

  /**
   * Waits at a barrier, then until the instant of going on; returns the stamp of that, ns.
   *
   * @throws LockstepError CANCELLED if the trial is stood down, or what it is released with.
   */
  async pass(name: string): Promise<bigint> {
    // Who is not going on must not be counted as there.
    if (this.#signal.aborted) throw stoodDown();
    const arrivedMonoNs = this.#clock.monotonicNs();
    const released = Promise.withResolvers<bigint>();
    const onAbort = (): void => {
      released.reject(stoodDown());
    };
    this.#waiting.set(name, released);
    this.#signal.addEventListener('abort', onAbort, { once: true });
    try {
      this.#onArrival(name);
      const targetMonoNs = await released.promise;
      const actualMonoNs = await awaitInstant(this.#clock, targetMonoNs, this.#signal);
      if (actualMonoNs === undefined) throw stoodDown();
      this.records.push({ name, arrivedMonoNs, targetMonoNs, actualMonoNs });
      return actualMonoNs;
    } finally {
      this.#waiting.delete(name);
      this.#signal.removeEventListener('abort', onAbort);
    }
  }

  /** Lets the trial go on at an instant, or ends its wait with an error. */
  release(name: string, target: bigint | Error): void {
    const waiting = this.#waiting.get(name);
    if (waiting === undefined) {
      throw new LockstepError('NOT_FOUND', `the trial does not wait at barrier ${name}`);
    }
    if (typeof target === 'bigint') waiting.resolve(target);
    else waiting.reject(target);
  }
}

function stoodDown(): LockstepError {
  return new LockstepError('CANCELLED', 'the trial was stood down');
}
