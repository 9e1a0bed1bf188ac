import { mkdir, rm } from 'node:fs/promises';
import { isBuiltin } from 'node:module';
import { join } from 'node:path';
import { LockstepError } from '../../schemas/errors.ts';
import type {
  DriverContext,
  Sandbox,
  SandboxDriver,
  SandboxObserver,
  SandboxSpec,
} from './driver.ts';
import { FUNCTION_PORT, functionArguments } from './function-root.ts';
import { Gate } from './gate.ts';
import { GatedSandbox, undo } from './gated-sandbox.ts';
import { findCode } from './language-function.ts';
import { SLOT_INTERFACE } from './network.ts';

const HOST_PROGRAM = join(import.meta.dirname, 'wasi-host', 'main.mjs');
const FLAGS = ['--disable-warning=ExperimentalWarning'];

/**
 * A WebAssembly module with WASI, in a Node process of its own: the language separates it from the
 * device. It can open files in one empty folder and nowhere else. WASI has no sockets, so the
 * process listens for it, and calls the ready listener when it does.
 */
export const wasiDriver: SandboxDriver = {
  name: 'wasi',
  slotKind: 'veth',
  detect,
  create,
};

function detect(): Promise<Record<string, string>> {
  // Only asked for, and not loaded: loading it makes Node warn.
  if (!isBuiltin('node:wasi')) {
    throw new LockstepError('SANDBOX_UNAVAILABLE', 'this Node has no WASI', {
      hint: 'run the agent with the Node that the set-up brings',
    });
  }
  return Promise.resolve({
    wasi: 'preview1',
    node: process.version,
    v8: process.versions.v8,
    front: 'HTTP in the same process',
  });
}

async function create(
  context: DriverContext,
  spec: SandboxSpec,
  observer: SandboxObserver,
): Promise<Sandbox> {
  const { cgroups, scratchFolder } = context;
  const { id, functionRoot, slot, readyPort } = spec;
  const module = await findCode(functionRoot, 'wasm');
  const folder = join(scratchFolder, `wasi-${id}`);
  const netns = slot.netnsPath === undefined ? {} : { netnsPath: slot.netnsPath };
  const standard = functionArguments({
    listen: `${slot.address}:${FUNCTION_PORT}`,
    readyUrl: `http://${slot.gatewayAddress}:${readyPort}/ready`,
  });
  const dispose = async () => rm(folder, { recursive: true, force: true });
  try {
    await mkdir(folder);
    await cgroups.create(id, spec.limits);
    const words = [...FLAGS, HOST_PROGRAM, '--module', module, '--tmp', folder, ...standard];
    const gate = await Gate.create({
      command: [process.execPath, ...words],
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
