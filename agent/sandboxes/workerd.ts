import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { constants } from 'node:fs';
import { access, copyFile, mkdir, rm, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { LockstepError } from '../../schemas/errors.ts';
import { neutralEnvironment, runCommand } from './command.ts';
import type {
  DriverContext,
  Sandbox,
  SandboxDriver,
  SandboxObserver,
  SandboxSpec,
} from './driver.ts';
import { FUNCTION_PORT } from './function-root.ts';
import { Gate } from './gate.ts';
import { GatedSandbox, undo } from './gated-sandbox.ts';
import { findCode } from './language-function.ts';
import { SLOT_INTERFACE } from './network.ts';
import { findSupplied } from './supplied-files.ts';
import { workerdConfig } from './workerd-config.ts';

const BASH = '/bin/bash';
const READY_TIMEOUT_SECONDS = 600;
const CONFIG = 'config.capnp';

// The descriptor on which workerd says that it listens leads to who makes the ready call.
const SERVE_SCRIPT = 'fifo=$1; shift; exec "$@" 9>"$fifo"';

// Waits for the first message, and calls the ready listener from the sandbox's own address.
const READY_SCRIPT = `
IFS= read -r -t "$1" message <>"$2" || exit 1
exec 8<>"/dev/tcp/$3/$4" || exit 1
printf 'GET /ready HTTP/1.1\\r\\nHost: %s\\r\\nConnection: close\\r\\n\\r\\n' "$3" >&8
IFS= read -r -t 10 answer <&8
`;

/**
 * A script in workerd, a process of its own for each: V8 separates it from the device. A worker can
 * do nothing before the first request, so the runtime's message that it listens makes the ready
 * call: a small process outside the sandbox's cgroup waits for it from before the start.
 */
export const workerdDriver: SandboxDriver = {
  name: 'workerd',
  slotKind: 'veth',
  detect,
  create,
};

async function detect(context: DriverContext): Promise<Record<string, string>> {
  const workerd = await findWorkerd(context);
  try {
    await access(BASH, constants.X_OK);
  } catch (cause) {
    throw new LockstepError('SANDBOX_UNAVAILABLE', `workerd needs ${BASH} for its ready call`, {
      cause,
      hint: 'install the package bash',
    });
  }
  const { stdout } = await runCommand([workerd, '--version']);
  return { workerd: stdout.trim().replace(/^workerd /, ''), ready: 'told by the runtime' };
}

/**
 * Where workerd is: named by its variable, in the images folder, or on PATH.
 *
 * @throws LockstepError SANDBOX_UNAVAILABLE if it is nowhere.
 */
async function findWorkerd(context: DriverContext): Promise<string> {
  try {
    return await findSupplied(context, {
      variable: 'LOCKSTEP_WORKERD',
      place: 'workerd/workerd',
      what: 'workerd',
    });
  } catch (error) {
    // A name that leads nowhere is a mistake, whatever else is installed.
    if ((process.env['LOCKSTEP_WORKERD'] ?? '') !== '') throw error;
    for (const folder of neutralEnvironment.PATH.split(':')) {
      const path = join(folder, 'workerd');
      if (await isExecutable(path)) return path;
    }
    throw error;
  }
}

async function isExecutable(path: string): Promise<boolean> {
  try {
    await access(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

async function create(
  context: DriverContext,
  spec: SandboxSpec,
  observer: SandboxObserver,
): Promise<Sandbox> {
  const { cgroups, scratchFolder } = context;
  const { id, slot } = spec;
  const script = await findCode(spec.functionRoot, 'worker');
  const workerd = await findWorkerd(context);
  const folder = join(scratchFolder, `workerd-${id}`);
  const netns = slot.netnsPath === undefined ? {} : { netnsPath: slot.netnsPath };
  let endCaller = (): Promise<void> => Promise.resolve();
  const dispose = async () => {
    await endCaller();
    await rm(folder, { recursive: true, force: true });
  };
  try {
    const { config, fifo } = await layOut(folder, script, `${slot.address}:${FUNCTION_PORT}`);
    endCaller = startCaller(fifo, spec);
    await cgroups.create(id, spec.limits);
    const serve = [workerd, 'serve', '--control-fd=9', config];
    const gate = await Gate.create({
      command: ['/bin/sh', '-c', SERVE_SCRIPT, 'workerd', fifo, ...serve],
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
      dispose,
    });
  } catch (error) {
    return undo([dispose, () => cgroups.remove(id), () => cgroups.killAll(id)], error);
  }
}

/** Makes the folder of one sandbox: script, configuration, and the pipe for messages. */
async function layOut(
  folder: string,
  script: string,
  listen: string,
): Promise<{ config: string; fifo: string }> {
  const config = join(folder, CONFIG);
  const fifo = join(folder, 'messages');
  await mkdir(folder);
  await copyFile(script, join(folder, basename(script)));
  await writeFile(config, workerdConfig({ script: basename(script), listen }));
  await runCommand(['mkfifo', fifo]);
  return { config, fifo };
}

/** Starts who makes the ready call. Returns how to end it. */
function startCaller(fifo: string, { slot, readyPort }: SandboxSpec): () => Promise<void> {
  const enter = slot.netnsPath === undefined ? [] : ['nsenter', `--net=${slot.netnsPath}`];
  const values = [String(READY_TIMEOUT_SECONDS), fifo, slot.gatewayAddress, String(readyPort)];
  const [program, ...words] = [...enter, BASH, '--noprofile', '--norc', '-c', READY_SCRIPT];
  const child = spawn(program, [...words, 'lockstep-ready', ...values], {
    cwd: '/',
    env: neutralEnvironment,
    stdio: 'ignore',
  });
  const ended = once(child, 'exit').catch(() => undefined);
  return async () => {
    child.kill('SIGKILL');
    await ended;
  };
}
