import type { PlannedTrial } from '../../schemas/plan.ts';
import type { Run } from '../../schemas/run.ts';
import type { CommandMessage } from './device-commands.ts';
import type { ProbeTiming } from './trial-timing.ts';

/** Trials are not repeated. */
export const ATTEMPT = 1;

/** What every device of a trial is told to arm. */
export function armMessage(
  { experiment, runId }: Pick<Run, 'experiment' | 'runId'>,
  trial: PlannedTrial,
  own: ProbeTiming & { wave: number },
): CommandMessage<'arm'> {
  return {
    runId,
    trialId: trial.trialId,
    attempt: ATTEMPT,
    cell: trial.cell,
    procedure: experiment.procedure.kind,
    readyTimeoutMs: experiment.procedure.readyTimeoutMs,
    parameters: experiment.procedure,
    seed: seedOf(experiment.seed, trial.position),
    latenessBudgetNs: msToNs(experiment.budget.latenessMs),
    clockBoundBudgetNs: msToNs(experiment.budget.clockBoundMs),
    ...own,
  };
}

/** The seed of a trial, by that of the experiment: the golden ratio keeps neighbours apart. */
function seedOf(seed: number, position: number): number {
  return (seed + Math.imul(position + 1, 0x9e37_79b1)) >>> 0;
}

function msToNs(valueMs: number): bigint {
  return BigInt(Math.round(valueMs * 1e6));
}
