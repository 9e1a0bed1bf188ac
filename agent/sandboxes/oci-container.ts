import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { errorMessageOf } from '../../schemas/errors.ts';
import { runCommand } from './command.ts';
import type { DriverContext, Sandbox, SandboxObserver, SandboxSpec } from './driver.ts';
import { assertRunnable, functionCommandLine } from './function-root.ts';
import { Gate } from './gate.ts';
import { GatedSandbox, undo } from './gated-sandbox.ts';
import { SLOT_INTERFACE } from './network.ts';
import { ociConfig } from './oci-bundle.ts';

/** The folder where a runtime keeps its state; on the runner's private tmpfs. */
export function stateFolder(context: DriverContext, runtime: string): string {
  return join(context.scratchFolder, runtime);
}

const DELETE_TIMEOUT_MS = 10_000;

/**
 * Creates a sandbox with a runtime that has the command line of runc.
 *
 * @param runtime the program and its global options, to put before the subcommand.
 */
export async function createContainer(
  context: DriverContext,
  spec: SandboxSpec,
  observer: SandboxObserver,
  runtime: readonly string[],
): Promise<Sandbox> {
  const { cgroups } = context;
  const { id, functionRoot, slot } = spec;
  const netns = slot.netnsPath === undefined ? {} : { netnsPath: slot.netnsPath };
  await assertRunnable(functionRoot);
  const bundle = join(context.scratchFolder, 'bundles', id);
  const cgroupsPath = cgroups.ociPath(id);
  const config = ociConfig({
    id,
    rootFolder: functionRoot.folder,
    command: functionCommandLine(spec, ''),
    limits: spec.limits,
    limitsSwap: cgroups.limitsSwap,
    ...(cgroupsPath === undefined ? {} : { cgroupsPath }),
  });
  // Some runtimes speak to a sandbox through a socket that only its network namespace has.
  const enter = slot.netnsPath === undefined ? [] : ['nsenter', `--net=${slot.netnsPath}`, '--'];
  const inSlot = [...enter, ...runtime];
  const removeBundle = (): Promise<void> => rm(bundle, { recursive: true, force: true });
  try {
    await mkdir(bundle, { recursive: true });
    await writeFile(join(bundle, 'config.json'), JSON.stringify(config));
    const gate = await Gate.create({
      command: [...runtime, 'run', '--detach', '--bundle', bundle, id],
      // The runtime makes the cgroup itself and is not in it.
      joinFiles: [],
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
      commandIs: 'launcher',
      requestStop: async () => {
        await runCommand([...inSlot, 'kill', id, 'TERM']);
      },
      dispose: async () => {
        try {
          await deleteContainer(inSlot, id);
        } finally {
          await removeBundle();
        }
      },
    });
  } catch (error) {
    return undo([removeBundle], error);
  }
}

async function deleteContainer(runtime: readonly string[], id: string): Promise<void> {
  try {
    await runCommand([...runtime, 'delete', '--force', id], { timeoutMs: DELETE_TIMEOUT_MS });
  } catch (error) {
    // A sandbox that was never started, or whose start failed, is not known to the runtime.
    if (!/does not exist|not found|no such file/i.test(errorMessageOf(error))) throw error;
  }
}
