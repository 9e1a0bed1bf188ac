import { join } from 'node:path';
import { LockstepError } from '../../schemas/errors.ts';
import { PHASES } from '../../schemas/result.ts';
import type { PhaseStamps } from '../../schemas/result.ts';
import { sqlText } from './column.ts';
import { databaseError, openDatabase } from './duckdb.ts';
import type { TrialOfDevice } from './read-samples.ts';

/** When the first sandbox of a device's part in a trial reached each phase. */
export interface TrialStamps extends TrialOfDevice {
  readonly phases: PhaseStamps;
}

const MEMORY_MB = 256;

/**
 * The stamps of the first sandbox of some trials, of every device whose result counts as kept, by
 * trial and device. Parts of the file that hold none of the trials are not read.
 *
 * @param folder of a run whose Parquet files are there
 * @throws LockstepError PARQUET_DAMAGED if the file can't be read.
 */
export async function readTrialStamps(
  folder: string,
  wanted: readonly { readonly trialId: string; readonly attempt: number }[],
): Promise<TrialStamps[]> {
  if (wanted.length === 0) return [];
  const path = join(folder, 'instances.parquet');
  const results = join(folder, 'results.parquet');
  const trials = wanted.map(({ trialId }) => sqlText(trialId)).join(', ');
  const keys = wanted.map(
    ({ trialId, attempt }) => `(${sqlText(trialId)}, ${BigInt(attempt)}::BIGINT)`,
  );
  const stamps = PHASES.map((phase) => `"${phase}AtMonoNs"`).join(', ');
  const database = await openDatabase({ memoryMb: MEMORY_MB });
  try {
    const connection = await database.connect();
    const read = await connection.runAndReadAll(
      `SELECT trial, attempt, device, ${stamps} FROM read_parquet(${sqlText(path)})
       WHERE place = 0 AND trial IN (${trials})
         AND (trial, attempt) IN (VALUES ${keys.join(', ')})
         AND resultIndex IN (
           SELECT resultIndex FROM read_parquet(${sqlText(results)})
           WHERE trial IN (${trials}) AND outcome = 'kept'
         )
       ORDER BY trial, attempt, device`,
    );
    return read.getRows().map(([trial, attempt, device, ...values]) => ({
      trialId: String(trial),
      attempt: Number(attempt),
      deviceId: String(device),
      phases: Object.fromEntries(
        PHASES.flatMap((phase, index): [string, bigint][] => {
          const value = values[index];
          return typeof value === 'bigint' ? [[phase, value]] : [];
        }),
      ),
    }));
  } catch (error) {
    const { message } = databaseError(error, `cannot read ${path}`);
    throw new LockstepError('PARQUET_DAMAGED', message, { cause: error });
  } finally {
    database.close();
  }
}
