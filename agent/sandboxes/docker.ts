import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';
import { LockstepError } from '../../schemas/errors.ts';
import { runCommand } from './command.ts';
import { clientCommand, clientFile } from './docker-client.ts';
import { askDocker } from './docker-api.ts';
import {
  DOCKER_SOCKET as SOCKET,
  dockerContainer,
  dockerRuntimeName,
  dockerdConfig,
} from './docker-container.ts';
import { imageOf } from './daemon-image.ts';
import { DAEMON_FOLDER, daemonOf, slotNetwork } from './daemon-process.ts';
import type { DaemonProcess } from './daemon-process.ts';
import { removePlace, runtimeFile, writePlace } from './daemon-runtime.ts';
import { isInstalled, versionOf } from './daemon-tools.ts';
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

/** The runtimes that Docker is measured with, by the names of their programs. */
type DockerRuntime = 'runc' | 'crun' | 'runsc';

/** A container made by Docker with runc, which is what `docker run` makes. */
export const dockerDriver = driver('docker', 'runc');

/** A container made by Docker with crun in the place of runc. */
export const dockerCrunDriver = driver('docker-crun', 'crun');

/** gVisor made by Docker: runsc in the place of runc, with the sockets of the slot's network. */
export const dockerGvisorDriver = driver('docker-gvisor', 'runsc');

const CONFIG = `${DAEMON_FOLDER}/daemon.json`;
const IMPORT_TIMEOUT_MS = 120_000;
const DELETE_TIMEOUT_MS = 10_000;
const DELETE_AGAIN_MS = 20;

/** What is used of the daemon's account of itself. */
const DaemonInfo = z.object({
  ServerVersion: z.string().max(64),
  Driver: z.string().max(64),
  DriverStatus: z.array(z.array(z.string().max(128))).optional(),
});

/** What is used of a container's account. */
const ContainerInfo = z.object({ Id: z.string().min(1) });

function driver(
  name: 'docker' | 'docker-crun' | 'docker-gvisor',
  runtime: DockerRuntime,
): SandboxDriver {
  return {
    name,
    slotKind: 'veth',
    detect: (context) => detect(context, runtime),
    create: (context, spec, observer) => create(context, { spec, runtime }, observer),
  };
}

async function detect(
  context: DriverContext,
  runtime: DockerRuntime,
): Promise<Record<string, string>> {
  const runtimeVersion = await versionOf(runtime);
  const daemon = await dockerDaemon(context);
  const { text } = await askDocker(daemon.inside(SOCKET), { method: 'GET', path: '/info' });
  const info = DaemonInfo.parse(JSON.parse(text));
  const below = info.DriverStatus?.find(([key]) => key === 'Backing Filesystem')?.[1];
  return {
    version: info.ServerVersion,
    runtime: `${runtime} ${runtimeVersion}`,
    ...(runtime === 'runsc' ? { platform: await gvisorPlatform() } : {}),
    storage: below === undefined ? info.Driver : `${info.Driver} on ${below}`,
    cgroups: context.cgroups.mode,
    timed: 'create, attach and start of the container over the API, by a client of our own',
    network: 'the slot, joined by the runtime',
    ...(runtime === 'runsc' ? { stack: 'the sockets of the slot' } : {}),
    output: 'through the daemon',
    seccomp: "the daemon's default",
  };
}

async function create(
  context: DriverContext,
  { spec, runtime }: { spec: SandboxSpec; runtime: DockerRuntime },
  observer: SandboxObserver,
): Promise<Sandbox> {
  const { cgroups } = context;
  const { id, functionRoot, slot } = spec;
  await assertRunnable(functionRoot);
  const daemon = await dockerDaemon(context);
  const dispose = async (): Promise<void> => removeContainer(daemon, id);
  try {
    const image = await imageOf(daemon, functionRoot, (archive) =>
      askDocker(daemon.inside(SOCKET), {
        method: 'POST',
        path: '/images/load?quiet=1',
        file: daemon.inside(archive),
        timeoutMs: IMPORT_TIMEOUT_MS,
      }),
    );
    await writePlace(daemon, id, {
      cgroupsPath: cgroups.ociPath(id) ?? '',
      network: slotNetwork(slot),
    });
    const container = dockerContainer({
      id,
      image,
      runtime: dockerRuntimeName(runtime),
      command: functionCommandLine(spec, ''),
      limits: spec.limits,
      limitsSwap: cgroups.limitsSwap,
    });
    const gate = await Gate.create({
      command: clientCommand((path) => daemon.inside(path), {
        socket: SOCKET,
        name: id,
        spec: container,
      }),
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
        const path = `/containers/${id}/kill?signal=SIGTERM`;
        await askDocker(daemon.inside(SOCKET), { method: 'POST', path });
      },
      dispose,
    });
  } catch (error) {
    return undo([() => removePlace(daemon, id)], error);
  }
}

/** The daemon of all kinds that Docker makes; it has all runtimes that are installed. */
function dockerDaemon(context: DriverContext): Promise<DaemonProcess> {
  return daemonOf(context, 'docker', async () => {
    await versionOf('perl');
    await versionOf('dockerd');
    const found: { name: DockerRuntime; command: string[] }[] = [];
    for (const name of ['runc', 'crun', 'runsc'] as const) {
      if (await isInstalled(name)) found.push({ name, command: await runtimeCommand(name) });
    }
    return {
      command: ['dockerd', '--config-file', CONFIG],
      files: [
        { path: CONFIG, text: dockerdConfig(found.map(({ name }) => name)) },
        clientFile,
        ...found.map(({ name, command }) => runtimeFile(name, command)),
      ],
      check: (daemon) => askDocker(daemon.inside(SOCKET), { method: 'GET', path: '/info' }),
    };
  });
}

async function runtimeCommand(name: DockerRuntime): Promise<string[]> {
  if (name !== 'runsc') return [name];
  // A limit that the daemon has for itself would be that of gVisor's own processes.
  const { soft, hard } = OPEN_FILES_LIMIT;
  const limits = ['prlimit', `--nofile=${soft}:${hard}`, '--'];
  return [...limits, 'runsc', '--network=host', `--platform=${await gvisorPlatform()}`];
}

async function gvisorPlatform(): Promise<string> {
  const { stdout, stderr } = await runCommand(['runsc', 'help', 'platforms']);
  return /\bsystrap\b/.test(stdout + stderr) ? 'systrap' : 'ptrace';
}

// An order that was under way when its client was killed may still make the container.
async function removeContainer(daemon: DaemonProcess, id: string): Promise<void> {
  await removePlace(daemon, id);
  if (!daemon.isAlive()) return;
  const socket = daemon.inside(SOCKET);
  const words: string[] = [];
  try {
    for (let round = 0; round < 2; round += 1) {
      const path = `/containers/${id}`;
      const { status, text } = await askDocker(socket, { method: 'GET', path: `${path}/json` });
      if (status === 404) {
        await delay(DELETE_AGAIN_MS);
        continue;
      }
      words.push(ContainerInfo.parse(JSON.parse(text)).Id);
      const forced = `${path}?force=1&v=1`;
      await askDocker(socket, { method: 'DELETE', path: forced, timeoutMs: DELETE_TIMEOUT_MS });
      break;
    }
  } catch (error) {
    await daemon.endIfSilent(error);
    // What the daemon had made went with it.
    if (daemon.isAlive()) throw error;
  }
  await assertEnded(daemon, words);
}

async function assertEnded(daemon: DaemonProcess, words: readonly string[]): Promise<void> {
  const left = words.length === 0 ? [] : await daemon.endHelpers(words);
  if (left.length === 0) return;
  throw new LockstepError('SANDBOX_LEFTOVER', `processes ${left.join(', ')} did not end`);
}
