import { PHASES } from '../../schemas/result.ts';
import type { Instance, Phase, PhaseStamps, SandboxUsage } from '../../schemas/result.ts';
import type { Values } from './column-arrays.ts';
import { rebuildFailure } from './rebuild-result.ts';

type Text =
  | 'address'
  | 'instanceStatus'
  | 'instanceFailureCode'
  | 'instanceFailureMessage'
  | 'instanceFailureHint'
  | 'failedAfter'
  | 'logTail'
  | 'usageUnavailable';
type Integer =
  | 'resultIndex'
  | 'httpStatus'
  | 'responseBytes'
  | `${Phase}AtMonoNs`
  | 'memoryBytes'
  | 'memoryPeakBytes'
  | 'cpuNs';

/** The columns of instances.parquet that an instance is made of again, for some rows. */
export type InstanceArrays = Readonly<Record<Text, Values<string>>> &
  Readonly<Record<Integer, Values<bigint>>> &
  Readonly<Record<'place' | 'instance', Values<number>>> &
  Readonly<Record<'hasUsage', Values<boolean>>>;

/** The instance in a row of instances.parquet. */
export function rebuildInstance(c: InstanceArrays, row: number): Instance {
  const instance: Partial<Instance> = {
    index: c.instance[row] ?? 0,
    address: c.address[row] ?? '',
    status: c.instanceStatus[row] as Instance['status'],
  };
  const failureCode = c.instanceFailureCode[row];
  if (failureCode !== undefined) {
    const message = c.instanceFailureMessage[row];
    instance.failure = rebuildFailure(failureCode, message, c.instanceFailureHint[row]);
  }
  const failedAfter = c.failedAfter[row];
  if (failedAfter !== undefined) instance.failedAfter = failedAfter as Phase;
  const logTail = c.logTail[row];
  if (logTail !== undefined) instance.logTail = logTail;
  const httpStatus = c.httpStatus[row];
  if (httpStatus !== undefined) instance.httpStatus = Number(httpStatus);
  const responseBytes = c.responseBytes[row];
  if (responseBytes !== undefined) instance.responseBytes = Number(responseBytes);
  instance.phases = phasesOf(c, row);
  if (c.hasUsage[row] === true) instance.usage = usageOf(c, row);
  return instance as Instance;
}

const STAMPS = PHASES.map((phase) => [phase, `${phase}AtMonoNs`] as const);

function phasesOf(c: InstanceArrays, row: number): PhaseStamps {
  const phases: PhaseStamps = {};
  for (const [phase, name] of STAMPS) {
    const at = c[name][row];
    if (at !== undefined) phases[phase] = at;
  }
  return phases;
}

function usageOf(c: InstanceArrays, row: number): SandboxUsage {
  const usage: SandboxUsage = {};
  const memoryBytes = c.memoryBytes[row];
  if (memoryBytes !== undefined) usage.memoryBytes = Number(memoryBytes);
  const memoryPeakBytes = c.memoryPeakBytes[row];
  if (memoryPeakBytes !== undefined) usage.memoryPeakBytes = Number(memoryPeakBytes);
  const cpuNs = c.cpuNs[row];
  if (cpuNs !== undefined) usage.cpuNs = cpuNs;
  const unavailable = c.usageUnavailable[row];
  if (unavailable !== undefined) usage.unavailable = unavailable;
  return usage;
}
