import { isDeepStrictEqual } from 'node:util';
import type { Plan } from '../../schemas/plan.ts';
import { IMPORTED_DEVICE_ID } from '../../schemas/provenance.ts';
import type { Cell, TrialResult } from '../../schemas/result.ts';
import type { Run } from '../../schemas/run.ts';

/**
 * Why a plan can't be the one of this run. Undefined if it can. A plan does not name its run, so
 * this compares what both say: seed, count of trials, and factors.
 */
export function planMismatch(run: Run, plan: Plan): string | undefined {
  const { experiment, provenance, trialsPlanned } = run;
  if (provenance === undefined && plan.seed !== experiment.seed) {
    return `its seed is ${plan.seed}, that of the run ${experiment.seed}`;
  }
  // A run that may end early may count fewer trials than its plan has.
  if (experiment.until === undefined && plan.trials.length !== trialsPlanned) {
    return `it has ${plan.trials.length} trials, and the run ${trialsPlanned}`;
  }
  const { sandbox, function: functions, instances } = experiment.factors;
  const unknown = plan.cells.find(
    (cell) =>
      !sandbox.includes(cell.sandbox) ||
      !functions.includes(cell.function) ||
      !instances.includes(cell.instances),
  );
  if (unknown !== undefined) return `its cell ${unknown.id} is none of the run's experiment`;
  return inconsistency(plan);
}

function inconsistency(plan: Plan): string | undefined {
  const cells = new Map(plan.cells.map((cell) => [cell.id, cell]));
  if (cells.size !== plan.cells.length) return 'two of its cells have the same id';
  const trialIds = new Set<string>();
  for (const { trialId, cell } of plan.trials) {
    if (trialIds.has(trialId)) return `it has two trials ${trialId}`;
    trialIds.add(trialId);
    if (!isDeepStrictEqual(cells.get(cell.id), cell)) {
      return `trial ${trialId} is of cell ${cell.id}, which is none of its cells`;
    }
  }
  return undefined;
}

/** Tells results of a run from those that can't be, by its record and its plan. */
export class ResultFit {
  readonly #runId: string;
  readonly #devices: ReadonlySet<string>;
  readonly #cellOfTrial: ReadonlyMap<string, Cell> | undefined;

  constructor(run: Run, plan: Plan | undefined) {
    this.#runId = run.runId;
    const deviceIds = run.devices.map(({ presence }) => presence.deviceId);
    this.#devices = new Set(run.provenance === undefined ? deviceIds : [IMPORTED_DEVICE_ID]);
    this.#cellOfTrial =
      plan === undefined
        ? undefined
        : new Map(plan.trials.map(({ trialId, cell }) => [trialId, cell]));
  }

  /** Why a result is none of this run. Undefined if it may be one. */
  mismatch({ runId, deviceId, trialId, cell }: TrialResult): string | undefined {
    if (runId !== this.#runId) return `is of run ${runId}`;
    if (!this.#devices.has(deviceId)) return `is of ${deviceId}, which is no device of the run`;
    if (this.#cellOfTrial === undefined) return undefined;
    const planned = this.#cellOfTrial.get(trialId);
    if (planned === undefined) return `is of trial ${trialId}, which is not planned`;
    if (isDeepStrictEqual(planned, cell)) return undefined;
    return `says cell ${cell.id} of trial ${trialId}; planned is ${planned.id}`;
  }
}
