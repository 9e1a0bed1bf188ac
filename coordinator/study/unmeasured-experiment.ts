import type { Experiment } from '../../schemas/experiment.ts';
import type { Failure } from '../../schemas/failure.ts';
import type { Cell } from '../../schemas/result.ts';
import { cellsOf } from '../planning/cells.ts';
import type { MeasuredExperiment, StudyCell } from './study-cell.ts';

/** What a fleet lacks, as opposed to what went wrong. */
const UNAVAILABLE: readonly Failure['code'][] = [
  ...(['NO_CELL', 'SANDBOX_UNAVAILABLE', 'ARTEFACT_MISSING', 'TOOL_MISSING', 'NOT_FOUND'] as const),
  ...(['IMAGE_INVALID', 'NO_DEVICE'] as const),
];

/**
 * An experiment without a run: each of its cells with the reason.
 *
 * @param failure why it was refused; absent: nobody has begun it
 */
export function unmeasuredExperiment(
  name: string,
  experiment: Experiment,
  failure?: Failure,
): MeasuredExperiment {
  const base = { attempts: 0, failures: 0, setUp: '', values: {} } as const;
  const cells = cellsOf(experiment).map((cell): StudyCell => {
    if (failure === undefined) {
      return { ...base, cell, status: 'not-run', reason: 'not run yet' };
    }
    const status = UNAVAILABLE.includes(failure.code) ? 'unavailable' : 'failed';
    return { ...base, cell, status, reason: `${failure.code}: ${reasonOf(cell, failure)}` };
  });
  return {
    name,
    state: failure === undefined ? 'not-run' : 'failed',
    ...(failure === undefined ? {} : { failure }),
    cells,
  };
}

/** True if an experiment was refused for what the fleet lacks, which is no fault of anybody. */
export function isUnavailable({ code }: Failure): boolean {
  return UNAVAILABLE.includes(code);
}

/** A refusal names the reasons of all cells, a line each. */
function reasonOf({ sandbox, function: functionName }: Cell, { message }: Failure): string {
  const [first = message, ...lines] = message.split('\n').map((line) => line.trim());
  const own = lines.filter(
    (line) =>
      line.includes(`sandbox ${sandbox}:`) || line.startsWith(`${sandbox} with ${functionName}:`),
  );
  return own.length === 0 ? first : own.join('; ');
}
