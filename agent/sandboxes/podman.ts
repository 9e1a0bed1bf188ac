import { readFile, rm } from 'node:fs/promises';
import { LockstepError } from '../../schemas/errors.ts';
import { runCommand } from './command.ts';
import { imageOf } from './daemon-image.ts';
import { DAEMON_FOLDER, daemonOf, slotNetwork } from './daemon-process.ts';
import type { DaemonProcess } from './daemon-process.ts';
import { removePlace, runtimeFile, runtimePath, writePlace } from './daemon-runtime.ts';
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
import { OPEN_FILES_LIMIT } from './inheritance.ts';
import { SLOT_INTERFACE } from './network.ts';
import { podmanFiles, podmanRun } from './podman-options.ts';

/**
 * A container made by podman with runc. Podman has no daemon: what holds its private place is a
 * process that only waits.
 */
export const podmanDriver: SandboxDriver = { name: 'podman', slotKind: 'veth', detect, create };

const IMPORT_TIMEOUT_MS = 120_000;
const DELETE_TIMEOUT_MS = 20_000;

async function detect(context: DriverContext): Promise<Record<string, string>> {
  const version = await versionOf('podman');
  const runtimeVersion = await versionOf('runc');
  const place = await podmanPlace(context);
  return {
    version,
    runtime: `runc ${runtimeVersion}`,
    storage: `${await storageOf(place)} on tmpfs`,
    cgroups: context.cgroups.mode,
    timed: 'podman run: create and start of the container',
    network: 'the slot, joined by podman',
    output: "the container's own",
    seccomp: "podman's default",
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
  const place = await podmanPlace(context);
  const idFile = `${DAEMON_FOLDER}/id-${id}`;
  try {
    const image = await imageOf(place, functionRoot, (archive) =>
      podman(place, ['load', '--quiet', '--input', archive], IMPORT_TIMEOUT_MS),
    );
    const rlimits = [{ type: 'RLIMIT_NOFILE', ...OPEN_FILES_LIMIT }];
    await writePlace(place, id, { cgroupsPath: cgroups.ociPath(id) ?? '', rlimits });
    const { limits } = spec;
    const { limitsSwap } = cgroups;
    const network = slotNetwork(slot);
    const options = { id, network, limits, limitsSwap, runtime: runtimePath('runc'), idFile };
    const gate = await Gate.create({
      command: [
        ...place.enterCommand,
        ...podmanRun(options),
        ...[image, ...functionCommandLine(spec, '')],
      ],
      joinFiles: place.joinFiles,
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
        await podman(place, ['kill', '--signal', 'TERM', id]);
      },
      dispose: () => removeContainer(place, id, idFile),
    });
  } catch (error) {
    return undo([() => removePlace(place, id)], error);
  }
}

function podmanPlace(context: DriverContext): Promise<DaemonProcess> {
  return daemonOf(context, 'podman', async () => {
    await versionOf('perl');
    await versionOf('podman');
    return {
      command: ['sleep', 'infinity'],
      files: [...podmanFiles(DAEMON_FOLDER), runtimeFile('runc', ['runc'])],
      check: storageOf,
    };
  });
}

async function storageOf(place: DaemonProcess): Promise<string> {
  const words = ['info', '--format', '{{.Store.GraphDriverName}}'];
  return (await podman(place, words)).trim();
}

async function podman(
  place: DaemonProcess,
  words: readonly string[],
  timeoutMs = DELETE_TIMEOUT_MS,
): Promise<string> {
  const command = [...place.enterCommand, 'podman', '--runtime', runtimePath('runc'), ...words];
  return (await runCommand(command, { timeoutMs })).stdout;
}

async function removeContainer(place: DaemonProcess, id: string, idFile: string): Promise<void> {
  await removePlace(place, id);
  if (!place.isAlive()) return;
  // Its helpers are known by its name, and those that clean up after it by its id.
  const idText = await readFile(place.inside(idFile), 'utf8').catch(() => '');
  try {
    await podman(place, ['rm', '--force', '--ignore', '--time', '0', id]);
  } catch (error) {
    if (place.isAlive()) throw error;
  }
  const left = await place.endHelpers([id, ...(idText === '' ? [] : [idText.trim()])]);
  await rm(place.inside(idFile), { force: true });
  if (left.length === 0) return;
  throw new LockstepError('SANDBOX_LEFTOVER', `processes ${left.join(', ')} did not end`);
}
