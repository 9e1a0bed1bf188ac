import type { Failure } from '../../schemas/failure.ts';
import type { Plan } from '../../schemas/plan.ts';
import type { Cell } from '../../schemas/result.ts';
import { canRun } from '../../schemas/fitness.ts';
import type { FunctionForm } from '../../schemas/fitness.ts';
import { SANDBOXES, SandboxName } from '../../schemas/sandbox.ts';
import type { SandboxAvailability } from '../../schemas/sandbox.ts';

/** What planning must know of a device. */
export interface PlannedDevice {
  readonly deviceId: string;
  readonly sandboxes: readonly SandboxAvailability[];
}

/** What planning must know of a function. */
export interface PlannedFunction extends FunctionForm {
  readonly name: string;
}

/** A reason why a cell cannot be measured: on one device, or on any if none is named. */
export type CellObstacle = Plan['skipped'][number];

/** Everything that stands against a cell; nothing if every device can run it. */
export function obstaclesOf(
  cell: Cell,
  devices: readonly PlannedDevice[],
  functions: readonly PlannedFunction[],
): CellObstacle[] {
  const planned = functions.find(({ name }) => name === cell.function);
  const unfit = planned === undefined ? undefined : unfitness(cell.sandbox, planned);
  if (unfit !== undefined) return [{ cell, failure: unfit }];
  return devices.flatMap(({ deviceId, sandboxes }) => {
    const availability = sandboxes.find(({ name }) => name === cell.sandbox);
    if (availability?.available === true) return [];
    const failure = availability?.failure ?? notReported(cell.sandbox, deviceId);
    return [{ cell, deviceId, failure }];
  });
}

/** Why a kind of sandbox can't run a function, wherever. Undefined if it can, or is not known. */
function unfitness(sandbox: string, planned: PlannedFunction): Failure | undefined {
  const name = SandboxName.safeParse(sandbox);
  if (!name.success) return undefined;
  const { runs } = SANDBOXES[name.data];
  if (canRun(name.data, planned)) return undefined;
  return {
    code: 'IMAGE_INVALID',
    message: `sandbox ${sandbox} runs ${RUNS_TEXTS[runs]}; ${planned.name} is ${formText(planned)}`,
    hint: `Exclude sandbox ${sandbox} with function ${planned.name}, or use another function.`,
  };
}

const RUNS_TEXTS = {
  program: 'programs',
  'static-program': 'a single static program',
  wasm: 'WebAssembly modules',
  worker: 'scripts for workerd',
} as const;

function formText({ form, staticBinary }: PlannedFunction): string {
  if (form === 'wasm') return 'a WebAssembly module';
  if (form === 'worker') return 'a script for workerd';
  return staticBinary ? 'a static program' : 'a program that needs more files';
}

function notReported(sandbox: string, deviceId: string): Failure {
  return {
    code: 'SANDBOX_UNAVAILABLE',
    message: `${deviceId} did not report anything about the sandbox ${sandbox}`,
    hint: 'Upgrade the agent of the device, or wait until it has probed its sandboxes.',
  };
}
