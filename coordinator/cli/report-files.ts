import { readdir } from 'node:fs/promises';
import { summariseTrials } from '../analysis/recorded-trials.ts';
import type { RunSummary } from '../analysis/run-summary.ts';
import { LockstepError } from '../../schemas/errors.ts';
import type { Plan } from '../../schemas/plan.ts';
import type { Run } from '../../schemas/run.ts';
import { renderHtml } from '../report/html.ts';
import { RunFolder } from '../recording/run-folder.ts';
import { openTrials } from './recorded-run.ts';
import type { OpenedTrials, Say } from './recorded-run.ts';
import { trialTelemetry } from './trial-telemetry.ts';

/** A run as it is on disk. */
export interface OpenRun {
  readonly folder: RunFolder;
  readonly run: Run;
  readonly plan: Plan;
  readonly trials: OpenedTrials;
}

/** A run as it is on disk, with what follows from it. */
export interface ReadRun extends OpenRun {
  readonly summary: RunSummary;
}

/**
 * The folder of a run below a data folder, whether it is there or not. `latest` is the newest run.
 *
 * @throws LockstepError NOT_FOUND if there is no run at all, or the name is none of a run.
 */
export async function findRunFolder(dataFolder: string, runId: string): Promise<RunFolder> {
  const id = runId === 'latest' ? await latestRunId(dataFolder) : runId;
  // A run id comes from the command line and must not lead out of the folder.
  if (!/^[a-z0-9-]+$/.test(id)) {
    throw new LockstepError('NOT_FOUND', `'${runId}' is not the id of a run`, {
      hint: 'List the runs with: lockstep runs',
    });
  }
  return RunFolder.of(dataFolder, id);
}

/**
 * Opens a run's folder; no coordinator is needed. `latest` is the newest run.
 *
 * @param say takes what a person must know while it takes long
 * @throws LockstepError NOT_FOUND if there is no such run; RUN_DAMAGED if it can't be read.
 */
export async function openRun(dataFolder: string, runId: string, say: Say): Promise<OpenRun> {
  const folder = await findRunFolder(dataFolder, runId);
  const run = await folder.readRun();
  const plan = await folder.readPlan(run);
  if (plan === undefined) {
    throw new LockstepError('NOT_FOUND', `run ${run.runId} ended before it was planned`);
  }
  return { folder, run, plan, trials: await openTrials(folder, { run, plan, say }) };
}

/** Reads a run as a whole and puts it into figures; else as {@link openRun}. */
export async function readRunSummary(
  dataFolder: string,
  runId: string,
  say: Say = () => undefined,
): Promise<ReadRun> {
  const opened = await openRun(dataFolder, runId, say);
  const { run, plan, trials } = opened;
  return { ...opened, summary: await summariseTrials(run, plan, trials) };
}

/** Writes the HTML report into the run's folder and returns its path. */
export async function writeReport(read: ReadRun, say: Say = () => undefined): Promise<string> {
  const { folder, run, plan, summary } = read;
  const telemetry = await trialTelemetry(read, say);
  const files = await readdir(folder.folder);
  await folder.writeText('report.html', renderHtml(run, plan, summary, { telemetry, files }));
  return folder.path('report.html');
}

async function latestRunId(dataFolder: string): Promise<string> {
  const [newest] = await RunFolder.list(dataFolder);
  if (newest !== undefined) return newest;
  throw new LockstepError('NOT_FOUND', `there is no run in ${dataFolder}`, {
    hint: 'Start one with: lockstep run FILE',
  });
}
