import type { Logger } from 'pino';
import { resultKey } from '../../schemas/result.ts';
import type { TrialResult } from '../../schemas/result.ts';
import { DataDamage } from './data-damage.ts';
import { LateSeals } from './late-seals.ts';
import { RunFolder } from './run-folder.ts';

/** Runs whose keys are kept in memory; the oldest are forgotten and read again when needed. */
const RUNS_IN_MEMORY_MAX = 64;

/** What is told of results. */
export interface RecordWatcher {
  /** A new result is on disk. */
  onResult(result: TrialResult): void;
  /** A result could not be put on disk. */
  onFailure(error: unknown): void;
}

interface OpenRun {
  readonly folder: RunFolder;
  /** Who reported each result that is on disk. */
  readonly reportedBy: Map<string, TrialResult['reportedBy']>;
}

/**
 * Puts results on disk, each once: a result whose key is there already is dropped, unless it is
 * the device's own and what is there was written in its place. Results are written one after the
 * other, and a call resolves when its result is safely on disk.
 */
export class Recorder {
  readonly #dataFolder: string;
  readonly #logger: Logger;
  readonly #seals: LateSeals;
  readonly #runs = new Map<string, Promise<OpenRun>>();
  readonly #watchers = new Set<RecordWatcher>();
  #last: Promise<unknown> = Promise.resolve();

  /** @param seals shared with whoever else adds to the runs */
  constructor(dataFolder: string, logger: Logger, seals = new LateSeals(dataFolder, logger)) {
    this.#dataFolder = dataFolder;
    this.#logger = logger;
    this.#seals = seals;
  }

  /**
   * Records a result; resolves with whether it was new.
   *
   * @throws LockstepError STORAGE_FULL or STORAGE_FAILED; the result may be recorded again later.
   */
  record(result: TrialResult): Promise<boolean> {
    const done = this.#last.then(() => this.#write(result));
    this.#last = done.catch((error: unknown) => {
      for (const watcher of this.#watchers) watcher.onFailure(error);
    });
    return done;
  }

  /** Tells of every new result and of every failure to keep one. Returns how to stop that. */
  watch(watcher: RecordWatcher): () => void {
    this.#watchers.add(watcher);
    return () => this.#watchers.delete(watcher);
  }

  async #write(result: TrialResult): Promise<boolean> {
    const run = await this.#open(result.runId);
    const key = resultKey(result);
    const known = run.reportedBy.get(key);
    if (known !== undefined && (known === 'device' || result.reportedBy === 'coordinator')) {
      this.#logger.debug({ key }, 'result is recorded already');
      return false;
    }
    await run.folder.appendResults([result]);
    run.reportedBy.set(key, result.reportedBy);
    await this.#seals.renew(result.runId);
    for (const watcher of this.#watchers) watcher.onResult(result);
    return true;
  }

  async #open(runId: string): Promise<OpenRun> {
    const known = this.#runs.get(runId);
    if (known !== undefined) return known;
    const opening = openRun(RunFolder.of(this.#dataFolder, runId), this.#logger);
    this.#runs.set(runId, opening);
    const oldest = this.#runs.keys().next().value;
    if (this.#runs.size > RUNS_IN_MEMORY_MAX && oldest !== undefined) this.#runs.delete(oldest);
    // A failure to open (a full disk, say) must not stick.
    opening.catch(() => this.#runs.delete(runId));
    return opening;
  }
}

async function openRun(folder: RunFolder, logger: Logger): Promise<OpenRun> {
  await folder.heal();
  const reportedBy = new Map<string, TrialResult['reportedBy']>();
  const damage = new DataDamage();
  for await (const result of folder.streamResults({ damage })) {
    reportedBy.set(resultKey(result), result.reportedBy);
  }
  const found = damage.describe();
  if (found !== undefined) logger.warn({ folder: folder.folder, ...found }, 'damaged results');
  return { folder, reportedBy };
}
