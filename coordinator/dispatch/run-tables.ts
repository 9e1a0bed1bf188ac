import { errorMessageOf } from '../../schemas/errors.ts';
import type { RunJournal } from '../recording/run-journal.ts';
import { compactRun } from '../store/compact-run.ts';

/** Time for a run that ends by itself: some millions of results, ms. */
const TIMEOUT_MS = 1_800_000;

/** Time for a run that is cancelled, perhaps because all is shut down, ms. */
const CANCELLED_TIMEOUT_MS = 5000;

/**
 * Writes the Parquet files of a run whose trials are over. A run without them is whole all the
 * same: they only hold what its results do, and are written again where they are needed.
 */
export async function writeRunTables(journal: RunJournal, signal: AbortSignal): Promise<void> {
  const isCancelled = signal.aborted;
  try {
    await compactRun(journal.folder.folder, {
      timeoutMs: isCancelled ? CANCELLED_TIMEOUT_MS : TIMEOUT_MS,
      ...(isCancelled ? {} : { signal }),
    });
  } catch (error) {
    journal.tell(`the Parquet files were not written: ${errorMessageOf(error)}`);
  }
}
