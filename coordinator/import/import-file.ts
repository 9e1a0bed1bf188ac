import { createHash } from 'node:crypto';
import { open } from 'node:fs/promises';
import { basename } from 'node:path';
import { LockstepError } from '../../schemas/errors.ts';
import type { Provenance } from '../../schemas/provenance.ts';
import { RunFolder } from '../recording/run-folder.ts';
import { newRunId } from '../planning/submission.ts';
import type { Draft } from './draft.ts';
import { readHyperfine } from './hyperfine.ts';
import { importError } from './import-mistake.ts';
import { importedRun } from './imported-run.ts';
import { readStudyCsv } from './study-csv.ts';
import { STUDY_FORMS } from './study-forms.ts';

/** Largest file, bytes: it is held in memory as a whole. */
export const IMPORT_BYTES_MAX = 64 * 2 ** 20;

/** Most values, as a plan has at most so many trials. */
const IMPORT_VALUES_MAX = 100_000;

/** Results that are written at once. */
const CHUNK = 5000;

/** Kinds of file that `--as` takes. */
const IMPORT_KINDS: readonly string[] = [...STUDY_FORMS.map(({ name }) => name), 'hyperfine'];

/** What an import gave. */
export interface Imported {
  readonly runId: string;
  readonly provenance: Provenance;
}

/**
 * Reads a file of another tool and writes it as a run into a data folder. Nothing is written if
 * the file has a mistake; `run.json` comes last, so that what a crash leaves is no run.
 *
 * @param as the kind of file. Absent: as its content says.
 * @throws LockstepError IMPORT_INVALID with every mistake, NOT_FOUND or STORAGE_FULL.
 */
export async function importFile(path: string, dataFolder: string, as?: string): Promise<Imported> {
  const content = await readBounded(path);
  const fileName = basename(path);
  const draft = draftOf(content, fileName, as);
  if (draft.values.length > IMPORT_VALUES_MAX) {
    const message = `it has ${draft.values.length} values; a run has ${IMPORT_VALUES_MAX} at most`;
    throw importError(fileName, [{ message }], 'Split it, one file per sandbox for example.');
  }
  const now = new Date();
  const runId = newRunId(`import-${draft.source}`, now);
  const digest = `sha256:${createHash('sha256').update(content).digest('hex')}`;
  const { run, plan, results } = importedRun(draft, {
    runId,
    atUtcMs: now.getTime(),
    file: { fileName: fileName.slice(0, 255), digest, sizeBytes: content.length },
  });
  const folder = RunFolder.of(dataFolder, runId);
  await folder.writePlan(plan);
  for (let start = 0; start < results.length; start += CHUNK) {
    await folder.appendResults(results.slice(start, start + CHUNK));
  }
  await folder.writeRun(await folder.sealed({ ...run, resultsFile: { lineCheck: 'crc-32' } }));
  if (run.provenance === undefined) throw new Error('an imported run has a provenance');
  return { runId, provenance: run.provenance };
}

async function readBounded(path: string): Promise<Buffer> {
  try {
    const file = await open(path, 'r');
    try {
      const stats = await file.stat();
      if (!stats.isFile()) throw importError(path, [{ message: 'it is no regular file' }]);
      if (stats.size > IMPORT_BYTES_MAX) {
        const message = `it has ${stats.size} bytes; ${IMPORT_BYTES_MAX} are read at most`;
        throw importError(path, [{ message }], 'Split it, one file per sandbox for example.');
      }
      return await file.readFile();
    } finally {
      await file.close();
    }
  } catch (cause) {
    if (cause instanceof LockstepError) throw cause;
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new LockstepError('NOT_FOUND', `cannot read ${path}: ${reason}`, { cause });
  }
}

function draftOf(content: Buffer, fileName: string, as: string | undefined): Draft {
  if (content.includes(0)) {
    throw importError(fileName, [{ message: 'it is no text: it contains bytes of value 0' }]);
  }
  const text = content.toString('utf8');
  if (as !== undefined && !IMPORT_KINDS.includes(as)) {
    throw new LockstepError('USAGE', `'${as}' is no kind of file`, {
      hint: `Use one of ${IMPORT_KINDS.join(', ')}.`,
    });
  }
  const isJson = /^\uFEFF?\s*[{[]/.test(text);
  if (as === 'hyperfine' || (as === undefined && isJson)) {
    return readHyperfine(text.replace(/^\uFEFF/, ''), fileName);
  }
  return readStudyCsv(text, fileName, as);
}
