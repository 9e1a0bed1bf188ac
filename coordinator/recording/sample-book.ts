import type { TrialResult } from '../../schemas/result.ts';
import type { BlockHead } from './sample-lines.ts';

/** A device's part in an attempt at a trial. */
type Part = Pick<BlockHead, 'trialId' | 'attempt' | 'deviceId'>;

interface Entry {
  /** Undefined until its result came. */
  announced: number | undefined;
  arrived: number;
}

/** What was announced and did not come. */
export interface MissingSamples {
  /** Parts of devices in trials that lack some. */
  readonly trials: number;
  readonly blocks: number;
}

/**
 * Which blocks of samples the results of one run announce, and which of them are there. It keeps
 * only what is not complete, so that it does not grow with the run.
 */
export class SampleBook {
  readonly #entries = new Map<string, Entry>();
  #onComplete: (() => void) | undefined;

  /** A result is there, and may announce blocks. */
  noteResult({ telemetry, ...part }: Part & Pick<TrialResult, 'telemetry'>): void {
    if (telemetry === undefined || 'failure' in telemetry || telemetry.blocks === 0) return;
    this.#change(part, (entry) => {
      entry.announced = telemetry.blocks;
    });
  }

  /** A block is there that was not before. */
  noteBlock(part: Part): void {
    this.#change(part, (entry) => {
      entry.arrived += 1;
    });
  }

  /** What is announced and not there. */
  get missing(): MissingSamples {
    let trials = 0;
    let blocks = 0;
    for (const { announced, arrived } of this.#entries.values()) {
      if (announced === undefined) continue;
      trials += 1;
      blocks += announced - arrived;
    }
    return { trials, blocks };
  }

  /**
   * Waits until all that was announced is there.
   *
   * @returns false after the timeout, or if the signal aborts
   */
  async complete(timeoutMs: number, signal: AbortSignal): Promise<boolean> {
    const ended = Promise.withResolvers<boolean>();
    const giveUp = (): void => {
      ended.resolve(false);
    };
    const timer = setTimeout(giveUp, timeoutMs);
    signal.addEventListener('abort', giveUp);
    this.#onComplete = () => {
      if (this.missing.trials === 0) ended.resolve(true);
    };
    this.#onComplete();
    if (signal.aborted) giveUp();
    try {
      return await ended.promise;
    } finally {
      this.#onComplete = undefined;
      clearTimeout(timer);
      signal.removeEventListener('abort', giveUp);
    }
  }

  #change({ trialId, attempt, deviceId }: Part, change: (entry: Entry) => void): void {
    const key = `${trialId}/${attempt}/${deviceId}`;
    const entry = this.#entries.get(key) ?? { announced: undefined, arrived: 0 };
    change(entry);
    if (entry.announced !== undefined && entry.arrived >= entry.announced) {
      this.#entries.delete(key);
    } else {
      this.#entries.set(key, entry);
    }
    this.#onComplete?.();
  }
}
