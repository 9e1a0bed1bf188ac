import { stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { LockstepError } from '../../../schemas/errors.ts';
import type { Plan } from '../../../schemas/plan.ts';
import { isEnded } from '../../../schemas/run.ts';
import type { Run } from '../../../schemas/run.ts';
import { readToEnd } from '../../archive/read-to-end.ts';
import { writeArchive } from '../../archive/write-archive.ts';
import { DataDamage } from '../../recording/data-damage.ts';
import { damagedRun } from '../../recording/run-damaged.ts';
import type { RunFolder } from '../../recording/run-folder.ts';
import { EXIT_CODES } from '../exit-codes.ts';
import { findRunFolder, readRunSummary, writeReport } from '../report-files.ts';
import type { Work } from '../session.ts';

/** What the report of a run follows from. */
const REPORTED_FILES = ['run.json', 'plan.json', 'results.ndjson'];

/**
 * Puts everything of an ended run into one file and prints its path. Its report is written first
 * if there is none, or an older one. Needs no coordinator.
 */
export function archive(runId: string, options: { out?: string }): Work {
  return async ({ home, output }) => {
    const folder = await findRunFolder(home.folder, runId);
    const run = await folder.readRun();
    if (!isEnded(run.state)) throw stillGoing(run);
    const plan = await folder.readPlan(run);
    await assertWhole(folder, run, plan);
    if (plan !== undefined && !(await hasCurrentReport(folder))) {
      await writeReport(await readRunSummary(home.folder, run.runId));
    }
    const path = resolve(options.out ?? `${run.runId}.lockstep.tar.gz`);
    const { files, digest } = await writeArchive(folder, run, path);
    const { size } = await stat(path);
    output.say(`run ${run.runId}: ${files.length} files in ${size} bytes, ${digest}`);
    output.result(path);
    return EXIT_CODES.ok;
  };
}

function stillGoing(run: Run): LockstepError {
  return new LockstepError('RUN_NOT_ENDED', `run ${run.runId} has not ended: it is ${run.state}`, {
    hint: `Wait for its end, or end it with: lockstep cancel ${run.runId}`,
  });
}

/** An archive is made to be relied upon, so none is made of data that has lost something. */
async function assertWhole(folder: RunFolder, run: Run, plan: Plan | undefined): Promise<void> {
  const damage = new DataDamage();
  await readToEnd(folder.streamResults({ run, plan, damage }));
  const found = damage.describe();
  if (found !== undefined) throw damagedRun(folder.folder, found.message, { hint: found.remedy });
}

async function hasCurrentReport(folder: RunFolder): Promise<boolean> {
  const report = await modifiedMs(folder.path('report.html'));
  if (report === undefined) return false;
  const times = await Promise.all(REPORTED_FILES.map((name) => modifiedMs(folder.path(name))));
  return times.every((time) => time === undefined || time <= report);
}

async function modifiedMs(path: string): Promise<number | undefined> {
  try {
    return (await stat(path)).mtimeMs;
  } catch {
    return undefined;
  }
}
