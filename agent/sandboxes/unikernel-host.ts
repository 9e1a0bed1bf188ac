import { constants } from 'node:fs';
import { access, open } from 'node:fs/promises';
import type { Architecture } from '../../schemas/artefact.ts';
import { LockstepError, errorMessageOf } from '../../schemas/errors.ts';
import type { DriverContext } from './driver.ts';
import { functionBinary } from './function-root.ts';
import type { FunctionRoot } from './function-root.ts';
import { chooseAccelerator } from './kvm-probe.ts';
import type { AcceleratorChoice } from './kvm-probe.ts';
import { findGuestKernel, GuestImages } from './guest-image.ts';
import { assertTap, guestsFolder } from './microvm-host.ts';
import { guestArchitecture, readQemuVersion } from './qemu-words.ts';

/** What unikernels of all kinds need of a host. */
export interface UnikernelHost {
  readonly architecture: Architecture;
  readonly choice: AcceleratorChoice;
  readonly qemuVersion: string;
}

// Of an ELF file: its magic and class, and where its processor stands. Source: elf(5).
const ELF_64 = Buffer.from([0x7f, 0x45, 0x4c, 0x46, 2]);
const MACHINE_OFFSET = 18;
const MACHINE_X64 = 62;
const HEAD_BYTES = 20;

const hosts = new WeakMap<DriverContext, Promise<UnikernelHost>>();

/**
 * Finds QEMU, and whether guests run under KVM: a small Linux guest shows that, since a unikernel
 * that does not come up says nothing.
 *
 * @throws LockstepError SANDBOX_UNAVAILABLE or TOOL_MISSING with the remedy as its hint.
 */
export function findUnikernelHost(context: DriverContext): Promise<UnikernelHost> {
  const known = hosts.get(context);
  if (known !== undefined) return known;
  const host = exploreHost(context);
  hosts.set(context, host);
  host.catch(() => hosts.delete(context));
  return host;
}

async function exploreHost(context: DriverContext): Promise<UnikernelHost> {
  const architecture = guestArchitecture();
  if (architecture !== 'x64') {
    throw new LockstepError(
      'SANDBOX_UNAVAILABLE',
      `unikernels are not started on ${architecture}`,
      {
        hint: 'measure them on a device with an x64 processor',
      },
    );
  }
  const qemuVersion = await readQemuVersion(architecture);
  await assertTap();
  return { architecture, choice: await choose(context, architecture), qemuVersion };
}

async function choose(
  context: DriverContext,
  architecture: Architecture,
): Promise<AcceleratorChoice> {
  let kernel;
  try {
    kernel = await findGuestKernel(context.guestKernelFolder);
  } catch (error) {
    const reason = `no guest can show whether KVM works: ${errorMessageOf(error)}`;
    return { accelerator: 'tcg', reason };
  }
  return chooseAccelerator(architecture, kernel, new GuestImages(guestsFolder(context)));
}

/**
 * Checks that a unikernel can load the function: one static program for its processor. It is looked
 * at here because a unikernel does not say what is wrong with it.
 *
 * @throws LockstepError IMAGE_INVALID if not.
 */
export async function assertOneProgram(functionRoot: FunctionRoot, kind: string): Promise<void> {
  const { manifest } = functionRoot;
  if (!manifest.staticBinary) {
    throw new LockstepError(
      'IMAGE_INVALID',
      `the program of function ${manifest.name} is not a static one, which ${kind} needs`,
      { hint: 'measure it in other sandboxes, or build it as a static program' },
    );
  }
  const head = await readHead(functionBinary(functionRoot));
  if (head.subarray(0, 5).equals(ELF_64) && head.readUInt16LE(MACHINE_OFFSET) === MACHINE_X64) {
    return;
  }
  throw new LockstepError(
    'IMAGE_INVALID',
    `the program of function ${manifest.name} is no ELF program for x64, which ${kind} needs`,
    { hint: 'build the function again for this processor' },
  );
}

async function readHead(path: string): Promise<Buffer> {
  const handle = await open(path);
  try {
    const head = Buffer.alloc(HEAD_BYTES);
    await handle.read(head, 0, HEAD_BYTES, 0);
    return head;
  } finally {
    await handle.close();
  }
}

/**
 * Checks that a supplied file is a program that may be run.
 *
 * @throws LockstepError SANDBOX_UNAVAILABLE if not.
 */
export async function assertExecutable(path: string): Promise<void> {
  try {
    await access(path, constants.X_OK);
  } catch (cause) {
    throw new LockstepError('SANDBOX_UNAVAILABLE', `${path} may not be executed`, {
      cause,
      hint: `chmod +x ${path}`,
    });
  }
}
