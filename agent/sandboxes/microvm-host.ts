import { constants } from 'node:fs';
import { access } from 'node:fs/promises';
import { join } from 'node:path';
import { LockstepError } from '../../schemas/errors.ts';
import type { Architecture } from '../../schemas/artefact.ts';
import { readKvmModules } from '../collectors/kvm-modules.ts';
import type { DriverContext, SandboxSpec } from './driver.ts';
import { functionCommandLine } from './function-root.ts';
import { measureTscKhz } from './guest-clock.ts';
import { GuestDisks } from './guest-disk.ts';
import { GuestImages } from './guest-image.ts';
import { findKernel } from './guest-kernel.ts';
import type { FoundKernel } from './guest-kernel.ts';
import { chooseAccelerator } from './kvm-probe.ts';
import type { AcceleratorChoice } from './kvm-probe.ts';
import { guestArchitecture, readQemuVersion } from './qemu-words.ts';

/** What is found out once for all Linux guests of a runner. */
export interface MicrovmHost {
  readonly architecture: Architecture;
  readonly kernel: FoundKernel;
  /** Initial RAM file systems. */
  readonly images: GuestImages;
  readonly disks: GuestDisks;
  readonly choice: AcceleratorChoice;
  readonly qemuVersion: string;
  /** Ticks of the time-stamp counter that a translated guest sees, kHz. Absent under KVM. */
  readonly tscKhz?: number;
}

const hosts = new WeakMap<DriverContext, Promise<MicrovmHost>>();

/**
 * Finds QEMU and a kernel, and whether guests run under KVM; the first call boots a guest for that.
 *
 * @throws LockstepError SANDBOX_UNAVAILABLE or TOOL_MISSING with the remedy as its hint.
 */
export function findMicrovmHost(context: DriverContext): Promise<MicrovmHost> {
  const known = hosts.get(context);
  if (known !== undefined) return known;
  const host = exploreHost(context);
  hosts.set(context, host);
  host.catch(() => hosts.delete(context));
  return host;
}

async function exploreHost(context: DriverContext): Promise<MicrovmHost> {
  const architecture = guestArchitecture();
  const qemuVersion = await readQemuVersion(architecture);
  const kernel = await findKernel(context);
  await assertTap();
  const folder = guestsFolder(context);
  const images = new GuestImages(folder);
  const choice = await chooseAccelerator(architecture, kernel, images);
  const disks = new GuestDisks(folder);
  const tscKhz = choice.accelerator === 'tcg' ? await measureTscKhz(folder) : undefined;
  const clock = tscKhz === undefined ? {} : { tscKhz };
  return { architecture, kernel, images, disks, choice, qemuVersion, ...clock };
}

/** Where images are kept that more than one sandbox of a runner uses. */
export function guestsFolder({ scratchFolder }: Pick<DriverContext, 'scratchFolder'>): string {
  return join(scratchFolder, 'guests');
}

/** What every result says of its guest's surroundings. */
export async function describeMicrovm(context: DriverContext): Promise<Record<string, string>> {
  const { choice, kernel, qemuVersion, tscKhz } = await findMicrovmHost(context);
  return {
    version: qemuVersion,
    ...describeAccelerator(choice),
    kernel: kernel.version,
    'kernel-form': kernel.form,
    ...(tscKhz === undefined ? {} : { 'guest-tsc-khz': String(tscKhz) }),
    cgroups: context.cgroups.mode,
  };
}

/** The accelerator, and why it is not KVM. */
export function describeAccelerator(choice: AcceleratorChoice): Record<string, string> {
  const modules = readKvmModules();
  return {
    accelerator: choice.accelerator,
    // What a module counts is its own matter: figures of two modules can't be compared.
    ...(modules.length === 0 ? {} : { 'kvm-modules': modules.join(' ') }),
    ...(choice.reason === undefined ? {} : { 'kvm-unused': choice.reason.slice(0, 256) }),
  };
}

/**
 * Checks that tap devices can be used.
 *
 * @throws LockstepError SANDBOX_UNAVAILABLE if not.
 */
export async function assertTap(): Promise<void> {
  try {
    await access('/dev/net/tun', constants.R_OK | constants.W_OK);
  } catch (cause) {
    throw new LockstepError('SANDBOX_UNAVAILABLE', '/dev/net/tun is not there or not accessible', {
      cause,
      hint: 'load the tun module, and run the agent as root or let it use /dev/net/tun',
    });
  }
}

/** The arguments of a function that is its guest's first program. */
export function guestWords(spec: SandboxSpec): string[] {
  const [, ...words] = functionCommandLine(spec, '');
  return ['--guest-address', `${spec.slot.address}/${spec.slot.prefixLength}`, ...words];
}
