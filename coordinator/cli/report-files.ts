import { summarise } from '../analysis/summary.ts';
import type { RunSummary } from '../analysis/run-summary.ts';
import { LockstepError } from '../../schemas/errors.ts';
import type { Plan } from '../../schemas/plan.ts';
import type { TrialResult } from '../../schemas/result.ts';
import type { Run } from '../../schemas/run.ts';
import { renderHtml } from '../report/html.ts';
import { RunFolder } from '../recording/run-folder.ts';

/** A run as it is on disk, with what follows from it. */
export interface ReadRun {
  readonly folder: RunFolder;
  readonly run: Run;
  readonly plan: Plan;
  readonly results: TrialResult[];
  readonly summary: RunSummary;
}

/**
 * Reads a run's folder; no coordinator is needed. `latest` is the newest run.
 *
 * @throws LockstepError NOT_FOUND if there is no such run.
 */
export async function readRunSummary(dataFolder: string, runId: string): Promise<ReadRun> {
  const id = runId === 'latest' ? await latestRunId(dataFolder) : runId;
  // A run id comes from the command line and must not lead out of the folder.
  if (!/^[a-z0-9-]+$/.test(id)) {
    throw new LockstepError('NOT_FOUND', `'${runId}' is not the id of a run`, {
      hint: 'List the runs with: lockstep runs',
    });
  }
  const folder = RunFolder.of(dataFolder, id);
  const { run, plan, results } = await folder.read();
  if (plan === undefined) {
    throw new LockstepError('NOT_FOUND', `run ${id} ended before it was planned`);
  }
  return { folder, run, plan, results, summary: summarise(run, plan, results) };
}

/** Writes the HTML report into the run's folder and returns its path. */
export async function writeReport(read: ReadRun): Promise<string> {
  const { folder, run, plan, results, summary } = read;
  await folder.writeText('report.html', renderHtml(run, plan, results, summary));
  return folder.path('report.html');
}

async function latestRunId(dataFolder: string): Promise<string> {
  const [newest] = await RunFolder.list(dataFolder);
  if (newest !== undefined) return newest;
  throw new LockstepError('NOT_FOUND', `there is no run in ${dataFolder}`, {
    hint: 'Start one with: lockstep run FILE',
  });
}
