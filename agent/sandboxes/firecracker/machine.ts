import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { LockstepError } from '../../../schemas/errors.ts';
import type { VmmTarget } from '../../collectors/collector.ts';
import type { DriverContext, Sandbox, SandboxObserver, SandboxSpec } from '../driver.ts';
import { Gate } from '../gate.ts';
import { undo } from '../gated-sandbox.ts';
import { QEMU_MEMORY_MIB } from '../qemu-sandbox.ts';
import { fitsSocket } from '../qemu-words.ts';
import { VmmSandbox } from '../vmm-sandbox.ts';
import { FirecrackerApi, firecrackerRequest } from './api-client.ts';
import type { ConfigFile } from './api-schemas.ts';
import type { GuestPayload } from './guest.ts';
import type { FirecrackerHost } from './host.ts';
import { Jail, jailUid } from './jail.ts';
import { VCPU_THREAD_PREFIX, vcpusOf } from './vm-config.ts';

/** Where the things of one Firecracker are; it sees them by the same paths, also in its jail. */
export interface MachinePlaces {
  readonly configFile: string;
  readonly metricsFile: string;
  /** The socket of its vsock, outside of a jail. */
  readonly vsockFile: string;
}

/** The socket of the vsock of a Firecracker in its jail, as it sees it. */
export const JAILED_VSOCK_FILE = '/vsock';

/** How one Firecracker gets to its guest. */
export interface MachinePlan {
  /** Configuration for --config-file. Absent: the API says what to run. */
  readonly configFile?: ConfigFile;
  /** True if the command line names the file of metrics, and no configuration does. */
  readonly hasMetricsWord: boolean;
  /** Files that it reads. */
  readonly readOnlyFiles: readonly string[];
  /** Files that it reads and writes, removed with it. */
  readonly ownFiles: readonly string[];
  /** What to ask for once the gate is open. Absent: nothing. */
  readonly configure?: (api: FirecrackerApi) => Promise<void>;
  /** True if it must be outside of the jail also when one is used. */
  readonly isUnjailed?: boolean;
}

/** A Firecracker behind its gate, and its API. */
export interface Machine {
  readonly sandbox: Sandbox;
  readonly api: FirecrackerApi;
}

const FLUSH = firecrackerRequest('PUT /actions', { action_type: 'FlushMetrics' });

/** The files that a guest is made of, by what Firecracker does with them. */
export function filesOf({
  drives,
  initrdFile,
  kernelFile,
}: GuestPayload): Pick<MachinePlan, 'ownFiles' | 'readOnlyFiles'> {
  const filesThat = (isReadOnly: boolean): string[] =>
    drives.filter((drive) => drive.isReadOnly === isReadOnly).map(({ file }) => file);
  const initrd = initrdFile === undefined ? [] : [initrdFile];
  return {
    readOnlyFiles: [kernelFile, ...initrd, ...filesThat(true)],
    ownFiles: filesThat(false),
  };
}

/** The places of the Firecracker of this id. */
export function placesOf(
  { scratchFolder }: Pick<DriverContext, 'scratchFolder'>,
  id: string,
): MachinePlaces {
  const at = (ending: string): string => join(scratchFolder, `${id}.${ending}`);
  return { configFile: at('json'), metricsFile: at('metrics'), vsockFile: at('vsock') };
}

/**
 * Does all that is not timed for one Firecracker: files, jail, cgroup, and the child at its gate.
 * The cgroup has as much memory beside the guest's as that of a QEMU has.
 *
 * @throws LockstepError SANDBOX_FAILED if something can't be made.
 */
export async function createMachine(
  context: DriverContext,
  { host, plan, spec }: { host: FirecrackerHost; plan: MachinePlan; spec: SandboxSpec },
  observer: SandboxObserver,
): Promise<Machine> {
  const { cgroups, scratchFolder } = context;
  const { id, limits, slot } = spec;
  const { configure } = plan;
  const places = placesOf(context, id);
  const jail = plan.isUnjailed === true ? undefined : jailFor(context, { host, plan, spec });
  const socketFile = jail?.inside('/api') ?? join(scratchFolder, `${id}.api`);
  const dispose = async (): Promise<void> => {
    await jail?.remove();
    for (const file of [...(Object.values(places) as string[]), ...plan.ownFiles, socketFile]) {
      await rm(file, { force: true });
    }
  };
  try {
    if (!fitsSocket(socketFile)) {
      throw new LockstepError('SANDBOX_FAILED', `no socket can have the path ${socketFile}`, {
        hint: 'give the agent a folder with a shorter path',
      });
    }
    await mkdir(scratchFolder, { recursive: true });
    await writeFile(places.metricsFile, '');
    if (plan.configFile !== undefined) {
      await writeFile(places.configFile, JSON.stringify(plan.configFile));
    }
    await jail?.build();
    await cgroups.create(id, { ...limits, memoryMib: limits.memoryMib + QEMU_MEMORY_MIB });
    const words = firecrackerWords(id, places, { plan, socketFile: jail ? '/api' : socketFile });
    const gate = await Gate.create({
      command: jail?.command(words.slice(2)) ?? [host.program, ...words],
      joinFiles: cgroups.joinFiles(id),
      onPhase: (phase, atMonoNs) => {
        observer.onPhase(phase, atMonoNs);
      },
    });
    const api = new FirecrackerApi(socketFile);
    const sandbox = new VmmSandbox(
      {
        ...{ id, gate, cgroups, dispose, commandIs: 'sandbox' },
        networkInterface: slot.interfaceName,
        vmm: vmmTarget(spec, places),
        // Firecracker ends on it at once, and the guest with it, as for QEMU.
        requestStop: () => {
          gate.kill('SIGTERM');
          return Promise.resolve();
        },
      },
      observer,
      {
        ...(configure === undefined ? {} : { configure: () => configure(api) }),
        beforeEnd: () => api.send(FLUSH),
        close: () => {
          api.close();
        },
      },
    );
    return { sandbox, api };
  } catch (error) {
    return undo([dispose, () => cgroups.remove(id), () => cgroups.killAll(id)], error);
  }
}

function jailFor(
  context: DriverContext,
  { host, plan, spec }: { host: FirecrackerHost; plan: MachinePlan; spec: SandboxSpec },
): Jail | undefined {
  if (host.jailerProgram === undefined) return undefined;
  const places = placesOf(context, spec.id);
  return new Jail(context, {
    jailerProgram: host.jailerProgram,
    firecrackerProgram: host.program,
    id: spec.id,
    uid: jailUid(spec.slot.index),
    readOnlyFiles: [
      ...plan.readOnlyFiles,
      ...(plan.configFile === undefined ? [] : [places.configFile]),
    ],
    sharedFiles: plan.ownFiles,
    writtenFiles: [places.metricsFile],
  });
}

// The first two words are those that the jailer adds itself.
function firecrackerWords(
  id: string,
  { configFile, metricsFile }: MachinePlaces,
  { plan, socketFile }: { plan: MachinePlan; socketFile: string },
): string[] {
  return [
    ...['--id', id, '--api-sock', socketFile],
    // Its log and the guest's console are one stream, of which only what went wrong is of use.
    ...['--level', 'Warning'],
    ...(plan.hasMetricsWord ? ['--metrics-path', metricsFile] : []),
    ...(plan.configFile === undefined ? [] : ['--config-file', configFile]),
  ];
}

function vmmTarget({ limits }: SandboxSpec, { metricsFile }: MachinePlaces): VmmTarget {
  return { vcpus: vcpusOf(limits), vcpuThreadPrefix: VCPU_THREAD_PREFIX, metricsFile };
}
