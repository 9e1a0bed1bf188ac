import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
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

/** A runtime with the command line of runc. */
export interface ContainerRuntime {
  /** The program and its global options, to put before the subcommand. */
  readonly command: readonly string[];
  /** Folder with the files of its containers' states, each of which begins with the id. */
  readonly stateFolder: string;
  /** Words to put before each of its commands in the slot. Absent: none. */
  readonly wrapper?: readonly string[];
  /** True if it has to be told the slot's network namespace, though it stands in it. */
  readonly namesNetwork?: boolean;
  /** Puts back what the runtime changed in the slot, once the container is gone. */
  readonly restoreSlot?: () => Promise<void>;
}

/**
 * What a container runs on, for the details of its kind: what differs from other kinds is a
 * recorded factor.
 */
export function containerDetails(
  { cgroups }: DriverContext,
  own: Record<string, string>,
): Record<string, string> {
  return {
    cgroups: cgroups.mode,
    wrapper: 'none',
    root: 'folder, read-only',
    seccomp: 'none',
    'user-namespace': 'none',
    'network-stack': 'kernel',
    ...own,
  };
}

/** Creates a sandbox with a runtime that has the command line of runc. */
export async function createContainer(
  context: DriverContext,
  spec: SandboxSpec,
  observer: SandboxObserver,
  runtime: ContainerRuntime,
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
    ...(runtime.namesNetwork === true ? netns : {}),
    ...(cgroupsPath === undefined ? {} : { cgroupsPath }),
  });
  // Some runtimes speak to a sandbox through a socket that only its network namespace has.
  const enter = slot.netnsPath === undefined ? [] : ['nsenter', `--net=${slot.netnsPath}`, '--'];
  const command = [...(runtime.wrapper ?? []), ...runtime.command];
  const inSlot = [...enter, ...command];
  const removeBundle = (): Promise<void> => rm(bundle, { recursive: true, force: true });
  try {
    await mkdir(bundle, { recursive: true });
    await writeFile(join(bundle, 'config.json'), JSON.stringify(config));
    const gate = await Gate.create({
      command: [...runtime.command, 'run', '--detach', '--bundle', bundle, id],
      ...(runtime.wrapper === undefined ? {} : { wrapper: runtime.wrapper }),
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
          await deleteContainer(inSlot, id, runtime.stateFolder);
        } finally {
          await removeBundle();
          await runtime.restoreSlot?.();
        }
      },
    });
  } catch (error) {
    return undo([removeBundle], error);
  }
}

async function deleteContainer(
  runtime: readonly string[],
  id: string,
  folder: string,
): Promise<void> {
  try {
    await runCommand([...runtime, 'delete', '--force', id], { timeoutMs: DELETE_TIMEOUT_MS });
  } catch (error) {
    const message = errorMessageOf(error);
    // A sandbox that was never started, or whose start failed, is not known to the runtime.
    if (/does not exist|not found|no such file/i.test(message)) return;
    if (!/unexpected end of JSON/i.test(message)) throw error;
    // The function was ready, and was removed, before the runtime had written what it started. Its
    // processes and its cgroup are removed as those of every sandbox.
    await removeState(folder, id);
  }
}

async function removeState(folder: string, id: string): Promise<void> {
  for (const name of await readdir(folder)) {
    if (name === id || name.startsWith(`${id}_`)) {
      await rm(join(folder, name), { recursive: true, force: true });
    }
  }
}
