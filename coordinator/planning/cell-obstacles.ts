import type { Failure } from '../../schemas/failure.ts';
import type { Plan } from '../../schemas/plan.ts';
import type { Cell } from '../../schemas/result.ts';
import type { SandboxAvailability } from '../../schemas/sandbox.ts';

/** What planning must know of a device. */
export interface PlannedDevice {
  readonly deviceId: string;
  readonly sandboxes: readonly SandboxAvailability[];
}

/** What planning must know of a function. */
export interface PlannedFunction {
  readonly name: string;
  /** True if its program needs no other file; only then can a microVM run it. */
  readonly staticBinary: boolean;
}

/** A reason why a cell cannot be measured: on one device, or on any if none is named. */
export type CellObstacle = Plan['skipped'][number];

/** Everything that stands against a cell; nothing if every device can run it. */
export function obstaclesOf(
  cell: Cell,
  devices: readonly PlannedDevice[],
  functions: readonly PlannedFunction[],
): CellObstacle[] {
  const isStatic = functions.some(
    ({ name, staticBinary }) => name === cell.function && staticBinary,
  );
  if (cell.sandbox === 'microvm' && !isStatic) {
    return [{ cell, failure: notStatic(cell.function) }];
  }
  return devices.flatMap(({ deviceId, sandboxes }) => {
    const availability = sandboxes.find(({ name }) => name === cell.sandbox);
    if (availability?.available === true) return [];
    const failure = availability?.failure ?? notReported(cell.sandbox, deviceId);
    return [{ cell, deviceId, failure }];
  });
}

function notStatic(functionName: string): Failure {
  return {
    code: 'IMAGE_INVALID',
    message: `a microVM runs a single static program, and ${functionName} needs more files`,
    hint: `Exclude sandbox microvm with function ${functionName}, or use a static function.`,
  };
}

function notReported(sandbox: string, deviceId: string): Failure {
  return {
    code: 'SANDBOX_UNAVAILABLE',
    message: `${deviceId} did not report anything about the sandbox ${sandbox}`,
    hint: 'Upgrade the agent of the device, or wait until it has probed its sandboxes.',
  };
}
