import { rm } from 'node:fs/promises';
import { LockstepError, errorMessageOf } from '../../schemas/errors.ts';
import { runCommand } from './command.ts';
import { containerdConfig, ctrRunOptions } from './containerd-options.ts';
import { imageOf } from './daemon-image.ts';
import { DAEMON_FOLDER, daemonOf, slotNetwork } from './daemon-process.ts';
import type { DaemonProcess } from './daemon-process.ts';
import {
  equalAmendments,
  removePlace,
  runtimeFile,
  runtimePath,
  writePlace,
} from './daemon-runtime.ts';
import { versionOf } from './daemon-tools.ts';
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

/** A container made by containerd, the part below Docker, with runc; `ctr run` starts it. */
export const containerdDriver: SandboxDriver = {
  name: 'containerd',
  slotKind: 'veth',
  detect,
  create,
};

const SOCKET = `${DAEMON_FOLDER}/containerd.sock`;
const CONFIG = `${DAEMON_FOLDER}/containerd.toml`;
const NAMESPACE = 'lockstep';
const IMPORT_TIMEOUT_MS = 120_000;
const DELETE_TIMEOUT_MS = 10_000;

async function detect(context: DriverContext): Promise<Record<string, string>> {
  const runtimeVersion = await versionOf('runc');
  const daemon = await containerd(context);
  const { stdout } = await runCommand([...ctr(daemon), 'version']);
  const versions = [...stdout.matchAll(/^\s*Version:\s*(\S+)/gm)];
  return {
    version: versions.at(-1)?.[1] ?? 'unknown',
    runtime: `runc ${runtimeVersion}`,
    storage: 'overlayfs on tmpfs',
    cgroups: context.cgroups.mode,
    timed: 'ctr run: snapshot, create and start of the container',
    network: 'the slot, joined by the runtime',
    output: 'through ctr',
    seccomp: 'none',
  };
}

async function create(
  context: DriverContext,
  spec: SandboxSpec,
  observer: SandboxObserver,
): Promise<Sandbox> {
  const { cgroups } = context;
  const { id, functionRoot, slot } = spec;
  await assertRunnable(functionRoot);
  const daemon = await containerd(context);
  const fifoFolder = `${DAEMON_FOLDER}/fifo-${id}`;
  try {
    const image = await imageOf(daemon, functionRoot, (archive) =>
      runCommand([...ctr(daemon), 'images', 'import', archive], {
        timeoutMs: IMPORT_TIMEOUT_MS,
      }),
    );
    const cgroupsPath = cgroups.ociPath(id) ?? '';
    const network = slotNetwork(slot);
    const amendments = equalAmendments(id, spec.limits, cgroups);
    await writePlace(daemon, id, { cgroupsPath, network, ...amendments });
    const options = { id, cgroupsPath, network, limits: spec.limits, fifoFolder };
    const gate = await Gate.create({
      command: [
        ...ctr(daemon),
        ...['run', ...ctrRunOptions({ ...options, runtime: runtimePath('runc') })],
        ...[image, id, ...functionCommandLine(spec, '')],
      ],
      joinFiles: daemon.joinFiles,
      onPhase: (phase, atMonoNs) => {
        observer.onPhase(phase, atMonoNs);
      },
    });
    return new GatedSandbox({
      id,
      ...(slot.netnsPath === undefined ? {} : { netnsPath: slot.netnsPath }),
      networkInterface: SLOT_INTERFACE,
      gate,
      cgroups,
      observer,
      commandIs: 'launcher',
      requestStop: async () => {
        await runCommand([...ctr(daemon), 'tasks', 'kill', '--signal', 'SIGTERM', id]);
      },
      dispose: () => removeContainer(daemon, id, fifoFolder),
    });
  } catch (error) {
    return undo([() => removePlace(daemon, id)], error);
  }
}

function containerd(context: DriverContext): Promise<DaemonProcess> {
  return daemonOf(context, 'containerd', async () => {
    await versionOf('perl');
    await versionOf('containerd');
    await versionOf('ctr');
    return {
      command: ['containerd', '--config', CONFIG],
      files: [
        { path: CONFIG, text: containerdConfig(DAEMON_FOLDER, SOCKET) },
        runtimeFile('runc', ['runc']),
      ],
      check: (daemon) => runCommand([...ctr(daemon), 'version']),
    };
  });
}

function ctr(daemon: DaemonProcess): string[] {
  // It mounts what it reads of an image by itself.
  return [...daemon.enterCommand, 'ctr', '--address', SOCKET, '--namespace', NAMESPACE];
}

async function removeContainer(
  daemon: DaemonProcess,
  id: string,
  fifoFolder: string,
): Promise<void> {
  await removePlace(daemon, id);
  await rm(daemon.inside(fifoFolder), { recursive: true, force: true });
  if (!daemon.isAlive()) return;
  await deleteIfThere(daemon, ['tasks', 'delete', '--force', id]);
  await deleteIfThere(daemon, ['containers', 'delete', id]);
  const left = await daemon.endHelpers([id]);
  if (left.length === 0) return;
  throw new LockstepError('SANDBOX_LEFTOVER', `processes ${left.join(', ')} did not end`);
}

async function deleteIfThere(daemon: DaemonProcess, words: readonly string[]): Promise<void> {
  try {
    await runCommand([...ctr(daemon), ...words], { timeoutMs: DELETE_TIMEOUT_MS });
  } catch (error) {
    await daemon.endIfSilent(error);
    // What the daemon had made went with it; what was never started is not known to it.
    if (daemon.isAlive() && !/not found/.test(errorMessageOf(error))) throw error;
  }
}
