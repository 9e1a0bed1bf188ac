import { errorMessageOf } from '../../schemas/errors.ts';
import type { Recorder } from '../recording/recorder.ts';
import type { RunJournal } from '../recording/run-journal.ts';
import { SampleBook } from '../recording/sample-book.ts';
import type { SampleRecorder } from '../recording/sample-recorder.ts';

/** Time for the samples of the last trials, after devices were released, ms. */
const TIMEOUT_MS = 30_000;

/** A wait that is longer is told, ms. */
const SILENT_MS = 1000;

/** Follows a run's results and samples, to wait at its end for samples that are on their way. */
export class SampleWait {
  readonly #book = new SampleBook();
  readonly #stops: readonly (() => void)[];

  constructor(
    { recorder, samples }: { recorder: Recorder; samples: SampleRecorder },
    runId: string,
  ) {
    this.#stops = [
      recorder.watch({
        onResult: (result) => {
          if (result.runId === runId) this.#book.noteResult(result);
        },
        // Who waits for results hears of it.
        onFailure: () => undefined,
      }),
      samples.watch((head) => {
        if (head.runId === runId) this.#book.noteBlock(head);
      }),
    ];
  }

  /**
   * Waits for the samples that results announce, says which did not come, and follows no longer. A
   * run that is cancelled waits for none: what comes later is taken all the same.
   */
  async settle(
    journal: Pick<RunJournal, 'tell' | 'event'>,
    signal: AbortSignal,
    timeoutMs = TIMEOUT_MS,
  ): Promise<void> {
    try {
      if (!signal.aborted) await this.#wait(journal, signal, timeoutMs);
    } catch (error) {
      journal.tell(`which samples are missing is not recorded: ${errorMessageOf(error)}`);
    } finally {
      for (const stop of this.#stops) stop();
    }
  }

  async #wait(
    journal: Pick<RunJournal, 'tell' | 'event'>,
    signal: AbortSignal,
    timeoutMs: number,
  ): Promise<void> {
    const silentMs = Math.min(SILENT_MS, timeoutMs);
    if (await this.#book.complete(silentMs, signal)) return;
    journal.tell(`waiting for samples of ${counted(this.#book.missing.trials)}`);
    if (await this.#book.complete(timeoutMs - silentMs, signal)) return;
    const { trials, blocks } = this.#book.missing;
    if (trials === 0) return;
    journal.tell(`samples of ${counted(trials)} are missing; they are taken if they come later`);
    await journal.event({ event: 'samples-missing', trials, blocks });
  }
}

function counted(trials: number): string {
  return `${trials} trial${trials === 1 ? '' : 's'}`;
}
