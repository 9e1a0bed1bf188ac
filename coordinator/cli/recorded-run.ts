import { stat } from 'node:fs/promises';
import { recordedTrials } from '../analysis/recorded-trials.ts';
import type { RecordedTrials } from '../analysis/recorded-trials.ts';
import { LockstepError } from '../../schemas/errors.ts';
import type { Plan } from '../../schemas/plan.ts';
import { isEnded } from '../../schemas/run.ts';
import type { Run } from '../../schemas/run.ts';
import { DataDamage } from '../recording/data-damage.ts';
import type { RunFolder } from '../recording/run-folder.ts';
import { SAMPLES_FILE } from '../recording/sample-lines.ts';
import { compactRun } from '../store/compact-run.ts';
import { openManifest, readManifest } from '../store/manifest.ts';
import type { Manifest } from '../store/manifest.ts';

/** Results that are read into memory as a whole: some 40 000. */
const BYTES_IN_MEMORY_MAX = 64 * 2 ** 20;

/** The results of a run on disk. */
export interface OpenedTrials extends RecordedTrials {
  /** True if its Parquet files are known to be there, whole, and of its results. */
  readonly hasTables: boolean;
}

/** What to tell while something takes long. */
export type Say = (text: string) => void;

/**
 * The results of a run, by trial. Those of a small run are read into memory. Those of a large one
 * come from its Parquet files, however many they are; if these are not there, or not of these
 * results, they are written first.
 */
export async function openTrials(
  folder: RunFolder,
  { run, plan, say }: { run: Run; plan: Plan; say: Say },
  bytesInMemoryMax = BYTES_IN_MEMORY_MAX,
): Promise<OpenedTrials> {
  if ((await sizeOf(folder.path('results.ndjson'))) > bytesInMemoryMax) {
    const manifest = await parquetOf(folder, say, openManifest);
    if (manifest !== undefined) return fromParquet(folder, manifest, isEnded(run.state));
  }
  const samples = isEnded(run.state) ? await samplesOf(folder, say) : undefined;
  const damage = new DataDamage();
  const results = await folder.readResults({ run, plan, damage });
  const found = damage.describe();
  return {
    ...recordedTrials(run, plan, results),
    hasTables: false,
    ...(found === undefined ? {} : { damage: found }),
    ...(samples === undefined ? {} : { samples }),
  };
}

/** What is wrong with the samples of a run that ended: that is known once they are in a table. */
async function samplesOf(folder: RunFolder, say: Say): Promise<OpenedTrials['samples']> {
  if ((await sizeOf(folder.path(SAMPLES_FILE))) === 0) return 'none';
  const manifest = await parquetOf(folder, say, openManifest);
  return manifest === undefined ? undefined : findingsOf(manifest);
}

/**
 * What the Parquet files of a run were made of; they are written first if they are not there, or
 * not of its results.
 *
 * @param read how the manifest is read, and how much of the files is checked by that
 * @returns undefined if they can't be: the run is damaged, or the disk refuses
 */
export async function parquetOf(
  folder: RunFolder,
  say: Say,
  read: (folder: string) => Promise<Manifest> = readManifest,
): Promise<Manifest | undefined> {
  try {
    return await read(folder.folder);
  } catch (error) {
    if (!isCode(error, ['NOT_FOUND', 'PARQUET_STALE', 'PARQUET_DAMAGED'])) throw error;
  }
  say('writing the Parquet files of this run; it is done once');
  try {
    return await compactRun(folder.folder);
  } catch (error) {
    if (!isCode(error, ['RUN_DAMAGED', 'STORAGE_FULL', 'STORAGE_FAILED'])) throw error;
    say(`they can not be written: ${error.message}`);
    return undefined;
  }
}

function fromParquet(folder: RunFolder, manifest: Manifest, isOver: boolean): OpenedTrials {
  let verified: Promise<void> | undefined;
  return {
    hasTables: true,
    counts: manifest.counts,
    ...(isOver ? { samples: findingsOf(manifest) } : {}),
    async *read(forFigures = false) {
      // The database is loaded only where it is needed: it takes a quarter of a second.
      const { readParquetTrials } = await import('../store/read-trials.ts');
      const { verifyBeside } = await import('../store/verify-beside.ts');
      // What is made of the trials is good only if this holds, so it is awaited after the last.
      verified ??= verifyBeside(folder.folder, manifest);
      verified.catch(() => undefined);
      yield* readParquetTrials(folder.folder, { known: manifest, forFigures });
      await verified;
    },
  };
}

function findingsOf({ samples }: Manifest): NonNullable<OpenedTrials['samples']> {
  if (samples === undefined) return 'none';
  const { missing, damaged, damage, throttled } = samples;
  return { missing, damaged, damage, throttled };
}

async function sizeOf(path: string): Promise<number> {
  try {
    return (await stat(path)).size;
  } catch {
    // What is wrong with it, its reader says.
    return 0;
  }
}

function isCode(error: unknown, codes: readonly string[]): error is LockstepError {
  return error instanceof LockstepError && codes.includes(error.code);
}
