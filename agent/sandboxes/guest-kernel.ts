import { LockstepError } from '../../schemas/errors.ts';
import type { DriverContext } from './driver.ts';
import { findGuestKernel, readKernelVersion } from './guest-image.ts';
import type { GuestKernel } from './guest-image.ts';
import type { KernelForm } from './qemu-command.ts';
import { findSupplied } from './supplied-files.ts';

/** A kernel, and what it expects of the machine. */
export interface FoundKernel extends GuestKernel {
  readonly form: KernelForm;
}

/** The user's own kernel, with virtio and ext4 in it and without modules. */
const SUPPLIED_KERNEL = {
  variable: 'LOCKSTEP_GUEST_VMLINUX',
  place: 'kernel/vmlinux',
  what: 'an own kernel for guests',
} as const;

/**
 * The kernel of Linux guests in QEMU: the user's own if there is one, else the published one.
 *
 * @throws LockstepError SANDBOX_UNAVAILABLE if there is neither, or if the file that was named is
 * no kernel.
 */
export async function findKernel(context: DriverContext): Promise<FoundKernel> {
  const kernelFile = await findSuppliedKernel(context);
  if (kernelFile === undefined) {
    return { ...(await findGuestKernel(context.guestKernelFolder)), form: 'modular' };
  }
  const version = await readKernelVersion(kernelFile);
  if (version !== undefined && version !== 'unknown') {
    return { kernelFile, version, moduleFiles: [], form: 'whole' };
  }
  throw new LockstepError('SANDBOX_UNAVAILABLE', `${kernelFile} has no version of Linux in it`, {
    hint: `name an uncompressed kernel in ${SUPPLIED_KERNEL.variable}, or none`,
  });
}

async function findSuppliedKernel(context: DriverContext): Promise<string | undefined> {
  try {
    return await findSupplied(context, SUPPLIED_KERNEL);
  } catch (error) {
    // A path that the user named must not be passed over in silence.
    if ((process.env[SUPPLIED_KERNEL.variable] ?? '') !== '') throw error;
    return undefined;
  }
}
