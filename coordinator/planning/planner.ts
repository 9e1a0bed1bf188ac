import { LockstepError } from '../../schemas/errors.ts';
import type { Experiment } from '../../schemas/experiment.ts';
import type { Plan, PlannedTrial } from '../../schemas/plan.ts';
import { PROTOCOL_VERSION } from '../../schemas/protocol.ts';
import type { Cell } from '../../schemas/result.ts';
import { obstaclesOf } from './cell-obstacles.ts';
import type { CellObstacle, PlannedDevice, PlannedFunction } from './cell-obstacles.ts';
import { cellsOf } from './cells.ts';
import { nearestNameHint } from '../experiment/nearest-name.ts';
import { Random, shuffled } from './random.ts';

/** Most cells of a plan: what the message that prepares a device can carry. */
export const PLAN_CELLS_MAX = 1024;

/** Most trials of a plan. At one per second this many take more than a day. */
export const PLAN_TRIALS_MAX = 100_000;

const TRIAL_ID_DIGITS_MIN = 4;

/**
 * Orders the trials of an experiment. A pure function: the same experiment, devices and functions
 * give the same plan, and more repetitions leave the order of the first ones as it was. Without
 * devices it says what would be done if every device could run everything.
 *
 * @throws LockstepError NOT_FOUND for a function that nobody knows.
 * @throws LockstepError SANDBOX_UNAVAILABLE or IMAGE_INVALID if a cell cannot be measured and the
 *   experiment says to refuse then.
 * @throws LockstepError NO_CELL if nothing is left to measure.
 * @throws LockstepError EXPERIMENT_INVALID if the plan would be too large.
 */
export function plan(
  experiment: Experiment,
  devices: readonly PlannedDevice[],
  functions: readonly PlannedFunction[],
): Plan {
  assertFunctionsKnown(experiment, functions);
  const wanted = cellsOf(experiment);
  if (wanted.length === 0) throw noCell('every cell of the experiment is excluded', []);
  const obstacles = wanted.map((cell) => obstaclesOf(cell, devices, functions));
  const skipped = obstacles.flat();
  if (skipped.length > 0 && experiment.unavailable === 'refuse') throw refusal(skipped);
  const cells = wanted.filter((_, index) => obstacles[index]?.length === 0);
  if (cells.length === 0) throw noCell('no cell can be measured on every device', skipped);
  assertSize(cells.length, experiment.repetitions);
  return {
    protocol: PROTOCOL_VERSION,
    seed: experiment.seed,
    order: experiment.order,
    cells,
    skipped,
    trials: orderTrials(experiment, cells),
  };
}

function orderTrials(
  { order, repetitions, seed }: Pick<Experiment, 'order' | 'repetitions' | 'seed'>,
  cells: readonly Cell[],
): PlannedTrial[] {
  const random = new Random(seed);
  const count = cells.length * repetitions;
  const digits = Math.max(TRIAL_ID_DIGITS_MIN, String(count).length);
  const trials: PlannedTrial[] = [];
  for (let repetition = 0; repetition < repetitions; repetition += 1) {
    for (const cell of order === 'fixed' ? cells : shuffled(cells, random)) {
      const position = trials.length;
      const trialId = `t${String(position + 1).padStart(digits, '0')}`;
      trials.push({ trialId, position, repetition, cell });
    }
  }
  return trials;
}

function assertFunctionsKnown(experiment: Experiment, functions: readonly PlannedFunction[]): void {
  const known = functions.map(({ name }) => name);
  const unknown = experiment.factors.function.filter((name) => !known.includes(name));
  const [first] = unknown;
  if (first === undefined) return;
  throw new LockstepError(
    'NOT_FOUND',
    `unknown ${unknown.length === 1 ? 'function' : 'functions'} ${unknown.join(', ')}`,
    { hint: nearestNameHint(first, known) },
  );
}

function assertSize(cells: number, repetitions: number): void {
  if (cells > PLAN_CELLS_MAX) {
    throw new LockstepError(
      'EXPERIMENT_INVALID',
      `the plan would have ${cells} cells, more than ${PLAN_CELLS_MAX}`,
      { hint: 'Give the factors fewer values, or exclude cells.' },
    );
  }
  const trials = cells * repetitions;
  if (trials <= PLAN_TRIALS_MAX) return;
  throw new LockstepError(
    'EXPERIMENT_INVALID',
    `the plan would have ${trials} trials, more than ${PLAN_TRIALS_MAX}`,
    { hint: `Use at most ${Math.floor(PLAN_TRIALS_MAX / cells)} repetitions, or fewer cells.` },
  );
}

function refusal(obstacles: readonly CellObstacle[]): LockstepError {
  const isUnavailable = obstacles.some(({ deviceId }) => deviceId !== undefined);
  const reasons = new Set(obstacles.map(reasonOf));
  const remedies = new Set(obstacles.map(remedyOf).filter((remedy) => remedy !== ''));
  return new LockstepError(
    isUnavailable ? 'SANDBOX_UNAVAILABLE' : 'IMAGE_INVALID',
    `the experiment has cells that cannot be measured:\n${[...reasons].join('\n')}`,
    { hint: [...remedies, 'Or write "unavailable: skip" to leave such cells out.'].join('\n') },
  );
}

function reasonOf({ cell, deviceId, failure }: CellObstacle): string {
  if (deviceId === undefined) return `  ${cell.sandbox} with ${cell.function}: ${failure.message}`;
  return `  ${deviceId}, sandbox ${cell.sandbox}: ${failure.code}: ${failure.message}`;
}

function remedyOf({ cell, deviceId, failure }: CellObstacle): string {
  if (failure.hint === undefined || deviceId === undefined) return failure.hint ?? '';
  return `${deviceId}, sandbox ${cell.sandbox}: ${failure.hint}`;
}

function noCell(message: string, obstacles: readonly CellObstacle[]): LockstepError {
  const reasons = [...new Set(obstacles.map(reasonOf))];
  const remedies = [...new Set(obstacles.map(remedyOf).filter((remedy) => remedy !== ''))];
  return new LockstepError(
    'NO_CELL',
    reasons.length === 0 ? message : `${message}:\n${reasons.join('\n')}`,
    {
      hint: remedies.join('\n') || 'Remove entries of "exclude", or give the factors more values.',
    },
  );
}
