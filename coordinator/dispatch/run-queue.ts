import type { Logger } from 'pino';
import { LockstepError, errorMessageOf } from '../../schemas/errors.ts';
import { toFailure } from '../../schemas/failure.ts';
import type { Plan } from '../../schemas/plan.ts';
import type { Run } from '../../schemas/run.ts';
import type { RunJournal } from '../recording/run-journal.ts';

/** Runs that wait or go, at most. */
const RUNS_MAX = 256;

/** Carries one run out; resolves at its end. What it throws is why the run failed. */
export type RunExecutor = (journal: RunJournal, plan: Plan, signal: AbortSignal) => Promise<void>;

interface QueuedRun {
  readonly journal: RunJournal;
  readonly plan: Plan;
  readonly deviceIds: readonly string[];
  readonly abort: AbortController;
  readonly ended: PromiseWithResolvers<Run>;
  isStarted: boolean;
}

/**
 * Lets runs go in the order of their submission, each as soon as none before it needs one of its
 * devices: a device serves one run at a time.
 */
export class RunQueue {
  readonly #execute: RunExecutor;
  readonly #logger: Logger;
  readonly #runs: QueuedRun[] = [];
  /** Ended runs that the disk did not take the end of: who follows one must learn of it. */
  readonly #unwritten: Run[] = [];

  constructor(execute: RunExecutor, logger: Logger) {
    this.#execute = execute;
    this.#logger = logger;
  }

  /** The runs that wait or go, and those whose end could not be written. */
  get runs(): Run[] {
    return [...this.#runs.map(({ journal }) => journal.run), ...this.#unwritten];
  }

  /** The run that a new one with these devices would wait for. */
  blocking(deviceIds: readonly string[]): string[] {
    return blockers(this.#runs, deviceIds).map(({ journal }) => journal.run.runId);
  }

  /**
   * Takes a run whose first record is written.
   *
   * @throws LockstepError AGENT_BUSY if too many runs wait.
   */
  add(journal: RunJournal, plan: Plan): void {
    if (this.#runs.length >= RUNS_MAX) {
      throw new LockstepError('AGENT_BUSY', `${RUNS_MAX} runs wait already`, {
        hint: 'Wait for some to end, or cancel them.',
      });
    }
    this.#runs.push({
      journal,
      plan,
      deviceIds: journal.run.devices.map((device) => device.presence.deviceId),
      abort: new AbortController(),
      ended: Promise.withResolvers<Run>(),
      isStarted: false,
    });
    this.#startWhatCan();
  }

  /**
   * Ends a run; resolves when it has ended and is written so.
   *
   * @throws LockstepError NOT_FOUND if it neither waits nor goes.
   */
  async cancel(runId: string): Promise<void> {
    const queued = this.#runs.find(({ journal }) => journal.run.runId === runId);
    if (queued === undefined) {
      throw new LockstepError('NOT_FOUND', `run ${runId} neither waits nor goes`, {
        hint: 'List the runs with: lockstep runs',
      });
    }
    queued.abort.abort();
    if (!queued.isStarted) void this.#run(queued);
    await queued.ended.promise;
  }

  /** Cancels everything and waits for it. */
  async close(): Promise<void> {
    const all = this.#runs.map((queued) => this.cancel(queued.journal.run.runId));
    await Promise.allSettled(all);
  }

  #startWhatCan(): void {
    for (const [index, queued] of this.#runs.entries()) {
      const isFree = blockers(this.#runs.slice(0, index), queued.deviceIds).length === 0;
      if (!queued.isStarted && isFree) void this.#run(queued);
    }
  }

  async #run(queued: QueuedRun): Promise<void> {
    const { journal, plan, abort, ended } = queued;
    queued.isStarted = true;
    try {
      if (!abort.signal.aborted) await this.#execute(journal, plan, abort.signal);
      if (abort.signal.aborted) await journal.enter('cancelled', 'cancelled');
      else await journal.enter('completed', 'completed');
    } catch (error) {
      await this.#fail(journal, error);
    }
    this.#runs.splice(this.#runs.indexOf(queued), 1);
    ended.resolve(journal.run);
    this.#startWhatCan();
  }

  async #fail(journal: RunJournal, error: unknown): Promise<void> {
    const failure = toFailure(error);
    if (failure.code === 'INTERNAL') this.#logger.error({ error }, 'run failed on a bug');
    try {
      await journal.enter('failed', `failed: ${failure.message}`, failure);
    } catch (writeError) {
      // Where the disk is full even this can't be written; the next start marks it interrupted.
      const reason = errorMessageOf(writeError);
      this.#logger.error({ runId: journal.run.runId, reason }, 'the end of a run is not on disk');
      this.#unwritten.push(journal.run);
      if (this.#unwritten.length > RUNS_MAX) this.#unwritten.shift();
    }
  }
}

function blockers(runs: readonly QueuedRun[], deviceIds: readonly string[]): QueuedRun[] {
  return runs.filter((queued) => queued.deviceIds.some((deviceId) => deviceIds.includes(deviceId)));
}
