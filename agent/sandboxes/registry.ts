import { LockstepError } from '../../schemas/errors.ts';
import { SandboxName } from '../../schemas/sandbox.ts';
import type { SandboxDriver } from './driver.ts';
import { gvisorDriver } from './gvisor.ts';
import { microvmDriver } from './microvm.ts';
import { processDriver } from './process.ts';
import { runcDriver } from './runc.ts';

/** The driver of each kind of sandbox. */
export const drivers: Record<SandboxName, SandboxDriver> = {
  process: processDriver,
  runc: runcDriver,
  gvisor: gvisorDriver,
  microvm: microvmDriver,
};

/**
 * The driver of a kind of sandbox that a cell names.
 *
 * @throws LockstepError SANDBOX_UNAVAILABLE if this release has none: records may name others.
 */
export function driverOf(sandbox: string): SandboxDriver {
  const name = SandboxName.safeParse(sandbox);
  if (name.success) return drivers[name.data];
  throw new LockstepError('SANDBOX_UNAVAILABLE', `there is no driver for sandbox '${sandbox}'`, {
    hint: `This release has ${SandboxName.options.join(', ')}.`,
  });
}
