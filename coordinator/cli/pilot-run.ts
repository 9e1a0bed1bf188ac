import type { Experiment } from '../../schemas/experiment.ts';
import { LockstepError } from '../../schemas/errors.ts';
import { isEnded } from '../../schemas/run.ts';
import type { Unit } from '../analysis/run-summary.ts';
import { RunFolder } from '../recording/run-folder.ts';
import { readRunSummary } from './report-files.ts';

/** Runs that are looked through for a pilot, at most: the newest. */
const RUNS_LOOKED_AT_MAX = 200;

/** Fewest repetitions of a run that is taken for a pilot without being named. */
const REPETITIONS_MIN = 5;

/** With fewer values a cell says little of how much its values differ. */
const VALUES_ENOUGH = 20;

/** An earlier run whose values say how many a new one needs. */
export interface PilotRun {
  readonly runId: string;
  /** Cells of the experiment that it has values of. */
  readonly found: number;
  /** Its values by cell. */
  readonly units: ReadonlyMap<string, readonly Unit[]>;
  /** Why its values may mislead, as sentences. */
  readonly warnings: readonly string[];
}

/**
 * Reads the pilot that was named, or finds one: the newest ended run of the same procedure and
 * at least 5 repetitions that has all of the cells; if none has, the newest that has most of them.
 *
 * @param wanted id of a run, or `latest`; undefined to find one
 * @returns undefined if none was named and no run on disk has any of the cells
 * @throws LockstepError NOT_FOUND if the run that was named is not there, USAGE if it measured
 *   something else.
 */
export async function readPilot(
  dataFolder: string,
  experiment: Experiment,
  cellIds: readonly string[],
  wanted: string | undefined,
): Promise<PilotRun | undefined> {
  const runId = wanted ?? (await findPilot(dataFolder, experiment, cellIds));
  if (runId === undefined) return undefined;
  const { run, summary } = await readRunSummary(dataFolder, runId);
  const { kind } = experiment.procedure;
  if (run.experiment.procedure.kind !== kind) {
    throw new LockstepError(
      'USAGE',
      `run ${run.runId} is a ${run.experiment.procedure.kind}, and the experiment a ${kind}`,
      { hint: 'Name a pilot of the same procedure, or none to let one be found.' },
    );
  }
  const units = new Map(summary.cells.map((cell) => [cell.cell.id, cell.units]));
  const found = cellIds.filter((cellId) => (units.get(cellId) ?? []).length > 0).length;
  const warnings: string[] = [];
  if (run.state !== 'completed') warnings.push(`it is ${run.state}, so its cells are not balanced`);
  const { memoryMib, cpus } = run.experiment.limits;
  if (memoryMib !== experiment.limits.memoryMib || cpus !== experiment.limits.cpus) {
    warnings.push(`its sandboxes had other limits: ${memoryMib} MiB and ${cpus} processors`);
  }
  const least = Math.min(...cellIds.flatMap((id) => units.get(id)?.length ?? []));
  if (least < VALUES_ENOUGH) {
    warnings.push(`it has cells of ${least} values: these tell the order of size, and no more`);
  }
  return { runId: run.runId, found, units, warnings };
}

async function findPilot(
  dataFolder: string,
  experiment: Experiment,
  cellIds: readonly string[],
): Promise<string | undefined> {
  let best: { runId: string; shared: number } | undefined;
  const newest = (await RunFolder.list(dataFolder)).slice(0, RUNS_LOOKED_AT_MAX);
  for (const runId of newest) {
    const shared = await sharedCells(dataFolder, runId, experiment, cellIds);
    if (shared === cellIds.length) return runId;
    if (shared > (best?.shared ?? 0)) best = { runId, shared };
  }
  return best?.runId;
}

/** How many cells a run shares with the experiment; 0 for what can't serve or can't be read. */
async function sharedCells(
  dataFolder: string,
  runId: string,
  experiment: Experiment,
  cellIds: readonly string[],
): Promise<number> {
  try {
    const run = await RunFolder.of(dataFolder, runId).readRun();
    const { factors, procedure } = run.experiment;
    if (!isEnded(run.state) || procedure.kind !== experiment.procedure.kind) return 0;
    const theirs = new Set(
      factors.sandbox.flatMap((sandbox) =>
        factors.function.flatMap((name) =>
          factors.instances.map((instances) => `${sandbox}/${name}/${instances}`),
        ),
      ),
    );
    if (run.trialsDone < REPETITIONS_MIN * theirs.size) return 0;
    return cellIds.filter((cellId) => theirs.has(cellId)).length;
  } catch {
    // Another run may do; one that is damaged is told of by the command that reads it.
    return 0;
  }
}
