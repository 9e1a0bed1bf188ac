import { withPlace } from '../../../agent/selftest/place.ts';
import { runOnStage } from '../../../agent/selftest/stage-process.ts';
import type { StageProgram } from '../../../agent/selftest/stage-process.ts';
import type { SandboxName } from '../../../schemas/sandbox.ts';
import { builtArtefacts } from '../../functions/running-function.ts';

/** What a program on a stage reported, or why it was not run. */
export interface TestStageOutcome<Report> {
  readonly reports: readonly Report[];
  readonly skipped?: string;
}

/** Runs a program on a stage with the artefacts of this checkout. */
export async function runOnTestStage<Report>(
  sandbox: SandboxName,
  program: StageProgram<Report>,
): Promise<TestStageOutcome<Report>> {
  return withPlace(builtArtefacts.folder, async (place) => {
    const { reports, skipped } = await runOnStage(sandbox, place, program);
    return { reports, ...(skipped === undefined ? {} : { skipped: skipped.message }) };
  });
}
