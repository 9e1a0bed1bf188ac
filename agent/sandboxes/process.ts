import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type {
  DriverContext,
  Sandbox,
  SandboxDriver,
  SandboxObserver,
  SandboxSpec,
} from './driver.ts';
import { assertRunnable, functionCommandLine } from './function-root.ts';
import { Gate } from './gate.ts';
import { GatedSandbox, undo } from './gated-sandbox.ts';
import { SLOT_INTERFACE } from './network.ts';

/**
 * No isolation but a network namespace and a cgroup: the baseline that the other kinds are compared
 * with. The function sees the device's own file system.
 */
export const processDriver: SandboxDriver = {
  name: 'process',
  slotKind: 'veth',
  detect: (context) =>
    Promise.resolve({ cgroups: context.cgroups.mode, architecture: process.arch }),
  create,
};

async function create(
  context: DriverContext,
  spec: SandboxSpec,
  observer: SandboxObserver,
): Promise<Sandbox> {
  const { cgroups } = context;
  const { id, functionRoot, slot } = spec;
  const netns = slot.netnsPath === undefined ? {} : { netnsPath: slot.netnsPath };
  await assertRunnable(functionRoot);
  // The device's /tmp outlives the sandbox and is every sandbox's.
  const workFolder = join(context.scratchFolder, 'work', id);
  const removeWork = (): Promise<void> => rm(workFolder, { recursive: true, force: true });
  try {
    await mkdir(workFolder, { recursive: true });
    await cgroups.create(id, spec.limits);
    const gate = await Gate.create({
      wrapper: ['env', `TMPDIR=${workFolder}`],
      command: functionCommandLine(spec, functionRoot.folder),
      joinFiles: cgroups.joinFiles(id),
      ...netns,
      onPhase: (phase, atMonoNs) => {
        observer.onPhase(phase, atMonoNs);
      },
    });
    return new GatedSandbox({
      id,
      ...netns,
      networkInterface: SLOT_INTERFACE,
      gate,
      cgroups,
      observer,
      commandIs: 'sandbox',
      requestStop: () => {
        gate.kill('SIGTERM');
        return Promise.resolve();
      },
      dispose: removeWork,
    });
  } catch (error) {
    return undo([removeWork, () => cgroups.remove(id), () => cgroups.killAll(id)], error);
  }
}
