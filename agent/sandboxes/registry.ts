import type { SandboxName } from '../../schemas/sandbox.ts';
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
