import { errorCodeOf } from '../../../schemas/errors.ts';
import { toFailure } from '../../../schemas/failure.ts';
import { assertExperiment } from '../../experiment/experiment-file.ts';
import type { MeasuredExperiment } from '../../study/study-cell.ts';
import type { Step, StudyFolder, StudyState } from '../../study/study-folder.ts';
import { studyReport } from '../../study/study-report.ts';
import type { StudyReport } from '../../study/study-report.ts';
import { StudyTally } from '../../study/study-tally.ts';
import { STUDY_EXPERIMENTS } from '../../study/suite.ts';
import { unmeasuredExperiment } from '../../study/unmeasured-experiment.ts';
import { openRun } from '../report-files.ts';

/** Reads the runs of a study and puts them together; what was not run has that as its reason. */
export async function readStudy(
  dataFolder: string,
  folder: StudyFolder,
  { studyId, arm, startedAtUtcMs, steps }: StudyState,
): Promise<StudyReport> {
  const experiments: MeasuredExperiment[] = [];
  for (const step of steps) experiments.push(await readStep(dataFolder, folder, step));
  const names = steps.map(({ name }) => name);
  return studyReport({ studyId, arm, startedAtUtcMs, names }, experiments);
}

async function readStep(
  dataFolder: string,
  folder: StudyFolder,
  { name, state, runId, failure }: Step,
): Promise<MeasuredExperiment> {
  const written = assertExperiment(await folder.experimentText(name), name);
  if (runId === undefined || state === 'running') {
    return unmeasuredExperiment(name, written, state === 'failed' ? failure : undefined);
  }
  try {
    const { run, plan, trials } = await openRun(dataFolder, runId, () => undefined);
    const quantities = STUDY_EXPERIMENTS.find((one) => one.name === name)?.quantities ?? [];
    const tally = new StudyTally(run, plan, quantities);
    for await (const results of trials.read()) tally.add(results);
    const { procedure } = run.experiment;
    return {
      ...{ name, runId, state: state === 'done' ? 'done' : 'failed' },
      experiment: { kind: procedure.kind, procedure },
      ...(failure === undefined ? {} : { failure }),
      cells: tally.cells(),
    };
  } catch (error) {
    // A run that is gone or damaged must not take the others from the report.
    if (errorCodeOf(error) === 'INTERNAL') throw error;
    return { ...unmeasuredExperiment(name, written, failure ?? toFailure(error)), runId };
  }
}
