import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import { RunFolder } from '../../coordinator/recording/run-folder.ts';
import type { TrialResult } from '../../schemas/result.ts';
import type { Run } from '../../schemas/run.ts';
import type { Plan } from '../../schemas/plan.ts';

/** What is written into the folder of a run. */
export interface TemporaryRun {
  readonly run: Run;
  /** Absent: the run has none. */
  readonly plan?: Plan;
  readonly results: readonly TrialResult[];
}

/** A data folder that is removed after the test. */
export async function temporaryData(t: ExecutionContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'store-'));
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

/** Writes the folder of a run below a data folder. */
export async function recordRun(
  dataFolder: string,
  { run, plan, results }: TemporaryRun,
): Promise<RunFolder> {
  const folder = RunFolder.of(dataFolder, run.runId);
  await folder.writeRun(plan === undefined ? { ...run, trialsPlanned: 0 } : run);
  if (plan !== undefined) await folder.writePlan(plan);
  await folder.appendResults(results);
  return folder;
}
