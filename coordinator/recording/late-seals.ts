import { stat } from 'node:fs/promises';
import type { Logger } from 'pino';
import { errorMessageOf } from '../../schemas/errors.ts';
import { isEnded } from '../../schemas/run.ts';
import { newTallies } from './results-tally.ts';
import { RunFolder } from './run-folder.ts';

/** Runs whose files are remembered; the oldest are forgotten and read again when needed. */
const RUNS_IN_MEMORY_MAX = 64;

/**
 * Keeps up what `run.json` states of results and samples when some arrive after the end of a run,
 * from the outbox of a device that was away. Whoever adds to either shares one of these, because
 * both replace the same file.
 */
export class LateSeals {
  readonly #dataFolder: string;
  readonly #logger: Logger;
  readonly #runs = new Map<string, LateSeal>();

  constructor(dataFolder: string, logger: Logger) {
    this.#dataFolder = dataFolder;
    this.#logger = logger;
  }

  /**
   * To be called after something was added to a run. A failure leaves the older statement, which
   * covers what came before, and is logged.
   */
  async renew(runId: string): Promise<void> {
    let seal = this.#runs.get(runId);
    if (seal === undefined) {
      seal = new LateSeal(RunFolder.of(this.#dataFolder, runId), this.#logger);
      this.#runs.set(runId, seal);
      const oldest = this.#runs.keys().next().value;
      if (this.#runs.size > RUNS_IN_MEMORY_MAX && oldest !== undefined) this.#runs.delete(oldest);
    }
    await seal.renew();
  }
}

/** The same for one run. Until it has ended it costs a look at the file's age per addition. */
class LateSeal {
  readonly #folder: RunFolder;
  readonly #logger: Logger;
  readonly #tallies = newTallies();
  #last: Promise<void> = Promise.resolve();
  /** Which `run.json` was looked at last; it is replaced as a whole, so its inode changes. */
  #seen: string | undefined;

  constructor(folder: RunFolder, logger: Logger) {
    this.#folder = folder;
    this.#logger = logger;
  }

  renew(): Promise<void> {
    this.#last = this.#last.then(() => this.#renew());
    return this.#last;
  }

  async #renew(): Promise<void> {
    try {
      const seen = await this.#identity();
      if (seen === this.#seen) return;
      const run = seen === undefined ? undefined : await this.#folder.readRun();
      this.#seen = seen;
      // What is written here is seen as another file next time, so an ended run is looked at again.
      if (run === undefined || !isEnded(run.state)) return;
      await this.#folder.writeRun(await this.#folder.sealed(run, this.#tallies));
    } catch (error) {
      const reason = errorMessageOf(error);
      this.#logger.warn({ folder: this.#folder.folder, reason }, 'end of files not recorded');
    }
  }

  async #identity(): Promise<string | undefined> {
    try {
      const { ino, mtimeNs } = await stat(this.#folder.path('run.json'), { bigint: true });
      return `${ino} ${mtimeNs}`;
    } catch {
      return undefined;
    }
  }
}
