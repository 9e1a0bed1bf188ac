import { isArchive } from '../../import/is-archive.ts';
import { importFile } from '../../import/import-file.ts';
import { EXIT_CODES } from '../exit-codes.ts';
import type { Work } from '../session.ts';

/** What `lockstep import` takes. */
export interface ImportOptions {
  /** The kind of file, in place of what its content says. */
  readonly as?: string;
  readonly json?: boolean;
}

/** Makes a run of a file of another tool, or of an archive. Needs no coordinator. */
export function importRun(path: string, options: ImportOptions): Work {
  return async ({ home, output }) => {
    if (options.as === undefined && (await isArchive(path))) {
      // Archives need modules that no other import does.
      const { importArchive } = await import('../../archive/import-archive.ts');
      const { runId, isNew } = await importArchive(path, home);
      output.result(options.json === true ? JSON.stringify({ runId, isNew }, null, 2) : runId);
      if (!isNew) output.say('This run is there already, with the same content.');
      output.say(`See it with: lockstep results ${runId}`);
      return EXIT_CODES.ok;
    }
    const { runId, provenance } = await importFile(path, home.folder, options.as);
    if (options.json === true) {
      output.result(JSON.stringify({ runId, provenance }, null, 2));
      return EXIT_CODES.ok;
    }
    const { limitations, rows, source } = provenance;
    output.result(`${runId}: ${rows} values of ${source}`);
    for (const { code, message } of limitations) output.say(`  ${code}: ${message}`);
    output.say(`See it with: lockstep results ${runId}`);
    return EXIT_CODES.ok;
  };
}
