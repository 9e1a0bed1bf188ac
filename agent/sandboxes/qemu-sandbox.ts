import { rm } from 'node:fs/promises';
import type { VmmTarget } from '../collectors/collector.ts';
import type { DriverContext, Sandbox, SandboxObserver, SandboxSpec } from './driver.ts';
import { Gate } from './gate.ts';
import { GatedSandbox, undo } from './gated-sandbox.ts';
import type { SandboxParts } from './gated-sandbox.ts';

/**
 * Memory that QEMU may use beside the guest's, MiB: its own code and heap, the translated code of
 * TCG, and the pages of kernel and image that it reads.
 */
export const QEMU_MEMORY_MIB = 256;

/** One machine to put behind a gate. */
export interface MachinePlan {
  readonly context: DriverContext;
  readonly spec: SandboxSpec;
  /** The whole command line. */
  readonly command: readonly string[];
  /** What can be sampled of it. Absent if it is not QEMU. */
  readonly vmm?: VmmTarget;
  /** Memory above the guest's, MiB. Default {@link QEMU_MEMORY_MIB}. */
  readonly overheadMib?: number;
  /** Files of this machine alone. */
  readonly files?: readonly string[];
}

/** The parts of a sandbox but for who hears of it. */
export type MachineParts = Omit<SandboxParts, 'observer'>;

/** A virtual machine whose monitor is the gated command. What was made is removed on failure. */
export async function createMachine(
  plan: MachinePlan,
  observer: SandboxObserver,
): Promise<Sandbox> {
  return new GatedSandbox({ ...(await gateMachine(plan, observer)), observer });
}

/**
 * The cgroup and the gate of a virtual machine.
 *
 * @throws LockstepError SANDBOX_FAILED, with everything removed.
 */
export async function gateMachine(
  plan: MachinePlan,
  observer: Pick<SandboxObserver, 'onPhase'>,
): Promise<MachineParts> {
  const { command, context, files = [], overheadMib = QEMU_MEMORY_MIB, spec, vmm } = plan;
  const { cgroups } = context;
  const { id, limits, slot } = spec;
  const dispose = async (): Promise<void> => {
    for (const file of files) await rm(file, { recursive: true, force: true });
    // QEMU removes its socket itself, but not when it is killed.
    if (vmm?.qmpSocket !== undefined) await rm(vmm.qmpSocket, { force: true });
  };
  try {
    await cgroups.create(id, { ...limits, memoryMib: limits.memoryMib + overheadMib });
    const gate = await Gate.create({
      command,
      joinFiles: cgroups.joinFiles(id),
      onPhase: (phase, atMonoNs) => {
        observer.onPhase(phase, atMonoNs);
      },
    });
    return {
      id,
      gate,
      cgroups,
      networkInterface: slot.interfaceName,
      ...(vmm === undefined ? {} : { vmm }),
      commandIs: 'sandbox',
      // The guest has no button to press; its monitor ends in order, and the guest with it.
      requestStop: () => {
        gate.kill('SIGTERM');
        return Promise.resolve();
      },
      dispose,
    };
  } catch (error) {
    return undo([dispose, () => cgroups.remove(id), () => cgroups.killAll(id)], error);
  }
}
