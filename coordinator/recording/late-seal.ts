import { stat } from 'node:fs/promises';
import type { Logger } from 'pino';
import { errorMessageOf } from '../../schemas/errors.ts';
import { isEnded } from '../../schemas/run.ts';
import { ResultsTally } from './results-tally.ts';
import type { RunFolder } from './run-folder.ts';

/**
 * Keeps up what `run.json` states of the results when some arrive after the end of the run, from
 * the outbox of a device that was away. Until then there is nothing to keep up, and it costs a look
 * at the file's age per result.
 */
export class LateSeal {
  readonly #folder: RunFolder;
  readonly #logger: Logger;
  readonly #tally = new ResultsTally();
  /** Which `run.json` was looked at last; it is replaced as a whole, so its inode changes. */
  #seen: string | undefined;

  constructor(folder: RunFolder, logger: Logger) {
    this.#folder = folder;
    this.#logger = logger;
  }

  /**
   * To be called after results were added. A failure leaves the older statement, which covers the
   * results before these, and is logged.
   */
  async renew(): Promise<void> {
    try {
      const seen = await this.#identity();
      if (seen === this.#seen) return;
      const run = seen === undefined ? undefined : await this.#folder.readRun();
      this.#seen = seen;
      // What is written here is seen as another file next time, so an ended run is looked at again.
      if (run === undefined || !isEnded(run.state)) return;
      await this.#folder.writeRun(await this.#folder.sealed(run, this.#tally));
    } catch (error) {
      const reason = errorMessageOf(error);
      this.#logger.warn({ folder: this.#folder.folder, reason }, 'end of results not recorded');
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
