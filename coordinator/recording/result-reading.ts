import { basename, dirname } from 'node:path';
import type { Plan } from '../../schemas/plan.ts';
import { TrialResult } from '../../schemas/result.ts';
import { isEnded } from '../../schemas/run.ts';
import type { Run } from '../../schemas/run.ts';
import { DataDamage } from './data-damage.ts';
import { readRecordedLines } from './recorded-lines.ts';
import { openRegular, readingError } from './regular-file.ts';
import { EndComparison } from './results-tally.ts';
import { damagedRun } from './run-damaged.ts';
import { ResultFit } from './run-fit.ts';

/** With what results are read, and what becomes of damaged ones. */
export interface ResultReading {
  /** Results of other runs and devices are damage then, and the file is compared with its end. */
  readonly run?: Run;
  /** Results of other trials and cells are damage then. */
  readonly plan?: Plan | undefined;
  /** Takes what is damaged, and reading goes on. Absent: the first damage is thrown. */
  readonly damage?: DataDamage;
}

/**
 * The results in a file, one after the other. A line that is not as it was written is left out,
 * and told in `damage` by the time that the last result was given. Reading goes on after it: every
 * line is a result for itself, with a checksum of its own.
 *
 * @throws LockstepError RUN_DAMAGED if the file is none, if it was changed and it can't be said
 * where, and at the first damage if nobody takes it; PERMISSION_MISSING, STORAGE_FAILED.
 */
export async function* streamRecordedResults(
  path: string,
  reading: ResultReading,
): AsyncGenerator<TrialResult> {
  const { run, plan } = reading;
  const damage = reading.damage ?? new DataDamage();
  const name = basename(path);
  const fit = run === undefined ? undefined : new ResultFit(run, plan);
  const comparison = new EndComparison(run?.resultsFile?.end);
  const mustBeChecked = run?.resultsFile?.lineCheck !== undefined;
  const linesLeftOutBefore = damage.linesLeftOut;
  for await (const batch of linesOf(path, run, comparison)) {
    for (const line of batch) {
      const wrong = 'damage' in line ? line.damage : fit?.mismatch(line.value);
      if (wrong === undefined && 'value' in line) yield line.value;
      if (wrong === undefined) continue;
      if (reading.damage === undefined) throw damagedRun(`${path} line ${line.number}`, wrong);
      damage.leaveOut(name, line.number, wrong);
    }
  }
  const difference = comparison.difference();
  if (difference === undefined) return;
  // Where lines have no checksums, any of the numbers may be the one that was changed.
  if (!mustBeChecked || reading.damage === undefined) throw damagedRun(path, difference.message);
  const isExplained = damage.linesLeftOut > linesLeftOutBefore && !difference.isShort;
  if (!isExplained) damage.tell(name, difference.message);
}

async function* linesOf(path: string, run: Run | undefined, comparison: EndComparison) {
  const file = await openRegular(path);
  if (file === undefined) return;
  try {
    yield* readRecordedLines(file, TrialResult, {
      mustBeChecked: run?.resultsFile?.lineCheck !== undefined,
      // A run that goes on may just be writing its last line.
      mayGrow: run === undefined || !isEnded(run.state),
      onChunk: (chunk) => {
        comparison.add(chunk);
      },
    });
  } catch (error) {
    throw readingError(error, dirname(path));
  } finally {
    await file.close();
  }
}
