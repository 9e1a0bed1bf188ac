import { mkdir, rename, rm, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { LockstepError, errorMessageOf } from '../../schemas/errors.ts';
import type { DriverContext, Sandbox, SandboxSpec } from './driver.ts';
import { FUNCTION_PORT } from './function-root.ts';
import { GUEST_FUNCTION } from './guest-image.ts';
import { findMicrovmHost, guestWords, guestsFolder } from './microvm-host.ts';
import { qemuCommand } from './qemu-command.ts';
import type { GuestSaving } from './qemu-command.ts';
import { createMachine } from './qemu-sandbox.ts';
import { QmpChannel } from './qmp-channel.ts';
import { awaitListener } from './reachable.ts';
import { vmmTarget } from './vmm-target.ts';

/** A guest whose function was ready when it was stopped and saved. */
export interface SavedState {
  /** The guest's memory, as large as the limit, with holes. */
  readonly memoryFile: string;
  /** The rest of the machine. */
  readonly stateFile: string;
  /** The end of what it printed until then. */
  readonly logTail: string;
}

const BOOT_TIMEOUT_MS = 60_000;
const COMMAND_TIMEOUT_MS = 10_000;
const SAVE_TIMEOUT_MS = 60_000;
const POLL_MS = 10;
const SETTLE_MS = 200;
const MIB = 1024 * 1024;

/** Tells QEMU to leave the memory out of the state: it has a file of its own. */
export const SAVING_CAPABILITIES = {
  capabilities: [{ capability: 'x-ignore-shared', state: true }],
} as const;

/**
 * The saved guests of a runner. A guest knows its address, so there is one for each function, limit
 * and slot; each is booted and saved when it is first asked for, which is no timed part.
 */
export class SavedStates {
  readonly #states = new Map<string, Promise<SavedState>>();

  /** @throws LockstepError SANDBOX_FAILED with what the guest printed, if it did not get ready. */
  forSpec(context: DriverContext, spec: SandboxSpec): Promise<SavedState> {
    const { functionRoot, limits, readyPort, slot } = spec;
    const digest = functionRoot.digest.replace(/^sha256:/, '');
    const key = [digest, limits.memoryMib, limits.cpus, slot.index, readyPort].join('-');
    const known = this.#states.get(key);
    if (known !== undefined) return known;
    const state = saveGuest(context, spec, join(guestsFolder(context), `saved-${key}`));
    this.#states.set(key, state);
    // A failure is for who asked; the next one may have more luck.
    state.catch(() => this.#states.delete(key));
    return state;
  }
}

/** The command line of a guest that is to be saved, or that was. */
export async function savedGuestCommand(
  context: DriverContext,
  spec: SandboxSpec,
  saving: GuestSaving,
): Promise<{ command: string[]; vmm: ReturnType<typeof vmmTarget> }> {
  const { architecture, choice, images, kernel, tscKhz } = await findMicrovmHost(context);
  const vmm = vmmTarget(context, spec, choice);
  const command = qemuCommand({
    architecture,
    accelerator: choice.accelerator,
    kernelFile: kernel.kernelFile,
    kernelForm: kernel.form,
    ...(tscKhz === undefined ? {} : { tscKhz }),
    initramfsFile: await images.forFunction(spec.functionRoot, kernel),
    memoryMib: spec.limits.memoryMib,
    processors: vmm.vcpus,
    init: [GUEST_FUNCTION, ...guestWords(spec)],
    network: spec.slot,
    saving,
    ...(vmm.qmpSocket === undefined ? {} : { qmpSocket: vmm.qmpSocket }),
  });
  return { command, vmm };
}

async function saveGuest(
  context: DriverContext,
  spec: SandboxSpec,
  base: string,
): Promise<SavedState> {
  await assertRoom(context, spec);
  await mkdir(guestsFolder(context), { recursive: true });
  const memoryFile = `${base}.memory`;
  const stateFile = `${base}.state`;
  const own = { ...spec, id: `${spec.id}-saved` };
  const controlSocket = join(context.scratchFolder, `${own.id}.control`);
  const channel = await QmpChannel.listen(controlSocket);
  const waiting = new AbortController();
  let sandbox: Sandbox | undefined;
  let isSaved = false;
  try {
    const saving = { memoryFile, mode: 'write', controlSocket } as const;
    const { command, vmm } = await savedGuestCommand(context, own, saving);
    const ended = Promise.withResolvers<never>();
    ended.promise.catch(() => undefined);
    sandbox = await createMachine(
      { context, spec: own, command, vmm },
      {
        onPhase: () => undefined,
        onExit: (description) => {
          ended.reject(new Error(description));
        },
      },
    );
    sandbox.start();
    const place = { address: spec.slot.address, stateFile };
    await Promise.race([bootAndSave(channel, place, waiting.signal), ended.promise]);
    isSaved = true;
    return { memoryFile, stateFile, logTail: sandbox.logTail() };
  } catch (cause) {
    throw new LockstepError(
      'SANDBOX_FAILED',
      `the guest to be saved did not get that far: ${errorMessageOf(cause)}; ` +
        `log: ${sandbox?.logTail().slice(-800) ?? 'none'}`,
      { cause, hint: 'try the same function in microvm, which is not saved' },
    );
  } finally {
    waiting.abort();
    await channel.close();
    await sandbox?.remove();
    if (!isSaved) for (const file of [memoryFile, stateFile]) await rm(file, { force: true });
  }
}

async function bootAndSave(
  channel: QmpChannel,
  place: { readonly address: string; readonly stateFile: string },
  signal: AbortSignal,
): Promise<void> {
  const { address, stateFile } = place;
  await channel.open(COMMAND_TIMEOUT_MS);
  await awaitListener({ address, port: FUNCTION_PORT }, BOOT_TIMEOUT_MS, signal);
  // Its ready call, and the connection just now, are over before QEMU stops it to save it.
  await delay(SETTLE_MS);
  await channel.execute('migrate-set-capabilities', SAVING_CAPABILITIES, COMMAND_TIMEOUT_MS);
  const uri = `exec:cat >${quoteForShell(`${stateFile}.part`)}`;
  await channel.execute('migrate', { uri }, COMMAND_TIMEOUT_MS);
  await awaitSaved(channel);
  await rename(`${stateFile}.part`, stateFile);
}

async function awaitSaved(channel: QmpChannel): Promise<void> {
  const deadline = performance.now() + SAVE_TIMEOUT_MS;
  for (;;) {
    const answer = await channel.execute('query-migrate', {}, COMMAND_TIMEOUT_MS);
    const status = (answer as { status?: unknown } | undefined)?.status;
    if (status === 'completed') return;
    if (status === 'failed' || status === 'cancelled' || performance.now() > deadline) {
      throw new Error(`saving the machine ended as ${String(status)}`);
    }
    await delay(POLL_MS);
  }
}

/**
 * A path as a word of the shell that QEMU runs for the state.
 *
 * @throws LockstepError SANDBOX_UNAVAILABLE if it has a quote in it.
 */
export function quoteForShell(path: string): string {
  if (!path.includes("'")) return `'${path}'`;
  throw new LockstepError('SANDBOX_UNAVAILABLE', `the scratch folder has a quote in it: ${path}`, {
    hint: 'let the agent use a folder with another name',
  });
}

async function assertRoom(context: DriverContext, { limits }: SandboxSpec): Promise<void> {
  const { bavail, bsize } = await statfs(context.scratchFolder);
  const freeMib = Math.floor((bavail * bsize) / MIB);
  if (freeMib > limits.memoryMib) return;
  throw new LockstepError(
    'SANDBOX_FAILED',
    `a saved guest takes up to ${limits.memoryMib} MiB of the scratch folder; ${freeMib} are free`,
    { hint: 'measure fewer instances at once, or lower the memory limit' },
  );
}
