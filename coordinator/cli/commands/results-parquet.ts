import { copyFile, mkdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { storageError } from '../../recording/run-folder.ts';
import { compactRun } from '../../store/compact-run.ts';
import { MANIFEST_FILE, TABLE_FILES } from '../../store/manifest.ts';
import { EXIT_CODES } from '../exit-codes.ts';
import { findRunFolder } from '../report-files.ts';
import type { Work } from '../session.ts';

/** Writes the Parquet files of a run anew, and prints where they are. Needs no coordinator. */
export function resultsParquet(runId: string, out: string | undefined): Work {
  return async ({ home, output, signal }) => {
    const { folder } = await findRunFolder(home.folder, runId);
    const { counts, instances } = await compactRun(folder, { signal });
    const names = [...TABLE_FILES, MANIFEST_FILE];
    const into = out === undefined ? folder : resolve(out);
    if (into !== folder) {
      try {
        await mkdir(into, { recursive: true });
        for (const name of names) await copyFile(join(folder, name), join(into, name));
      } catch (error) {
        throw storageError(error, `cannot write into ${into}`);
      }
    }
    for (const name of names) output.result(join(into, name));
    output.say(`${counts.distinct} results, ${instances} instances`);
    return EXIT_CODES.ok;
  };
}
