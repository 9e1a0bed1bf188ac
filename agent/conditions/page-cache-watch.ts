import { errorMessageOf } from '../../schemas/errors.ts';
import type { Findings } from '../procedures/findings.ts';
import { findColdFiles } from './cold-files.ts';
import type { ColdFilesContext } from './cold-files.ts';
import {
  describeResidency,
  findInMemoryOnly,
  mistakeAfter,
  mistakeBefore,
  readResidency,
  setPageCache,
} from './page-cache.ts';
import type { PageCacheState } from './page-cache.ts';

/**
 * Sets the state of the page cache for the files of a trial's sandboxes, reads it back before and
 * after, and marks the result if it was not the one wanted. What was seen stands in the conditions
 * `page-cache`, `page-cache-before` and `page-cache-after`.
 */
export class PageCacheWatch {
  readonly #context: ColdFilesContext;
  readonly #state: PageCacheState;
  #files: readonly string[] = [];

  constructor(context: ColdFilesContext, state: PageCacheState) {
    this.#context = context;
    this.#state = state;
  }

  /** Untimed, when the sandboxes are created. Never rejects. */
  async before(findings: Findings): Promise<void> {
    findings.condition('page-cache', this.#state);
    await this.#attempt(findings, async () => {
      this.#files = await findColdFiles(this.#context);
      await setPageCache(this.#state, this.#files);
      const residency = await readResidency(this.#files);
      findings.condition('page-cache-before', describeResidency(residency));
      const mistake = mistakeBefore(this.#state, residency);
      const inMemory = this.#state === 'evicted' ? await findInMemoryOnly(this.#files) : [];
      const [first] = inMemory;
      if (first !== undefined) {
        const text = `${inMemory.length} files are on a file system in memory, such as ${first}`;
        findings.condition('page-cache-fixed', text);
      }
      if (mistake !== undefined) findings.mark('page-cache', mistake);
    });
  }

  /** When the sandboxes have answered, before they are removed. Never rejects. */
  async after(findings: Findings): Promise<void> {
    await this.#attempt(findings, async () => {
      const residency = await readResidency(this.#files);
      findings.condition('page-cache-after', describeResidency(residency));
      const mistake = mistakeAfter(this.#state, residency);
      if (mistake !== undefined) findings.mark('page-cache', mistake);
    });
  }

  async #attempt(findings: Findings, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      findings.unmeasured('page-cache-unknown', error);
      if (this.#state === 'as-is') return;
      const reason = errorMessageOf(error);
      findings.mark('page-cache', `it is not known whether it was ${this.#state}: ${reason}`);
    }
  }
}
