import { access, mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Architecture } from '../../schemas/artefact.ts';
import { LockstepError, errorMessageOf } from '../../schemas/errors.ts';
import { runCommand } from './command.ts';
import type { DriverContext } from './driver.ts';
import type { Runsc } from './gvisor-runtime.ts';
import { GuestImages, findGuestKernel } from './guest-image.ts';
import { chooseAccelerator } from './kvm-probe.ts';
import { stateFolder } from './oci-container.ts';

const TRIAL_TIMEOUT_MS = 8_000;

/**
 * Runs a program under the kvm platform, without a network and in a pid namespace that ends with
 * it. That /dev/kvm is there proves little: it can be open to all and run no guest.
 *
 * @throws LockstepError SANDBOX_UNAVAILABLE with what runsc did, and with what became of a guest
 * of QEMU if one can be tried, if the program did not run.
 */
export async function assertKvmPlatform(context: DriverContext, runsc: Runsc): Promise<void> {
  const reason = await tryKvm(context, runsc);
  if (reason === undefined) return;
  const guest = await tryGuest(context);
  throw new LockstepError(
    'SANDBOX_UNAVAILABLE',
    guest === undefined ? reason : `${reason}; under QEMU: ${guest}`,
    { hint: 'gvisor-kvm needs a device whose /dev/kvm runs guests; others use gvisor' },
  );
}

/** Why a program does not run under the kvm platform; undefined if it does. */
async function tryKvm(context: DriverContext, runsc: Runsc): Promise<string | undefined> {
  const folder = stateFolder(context, 'runsc-kvm');
  const command = [
    ...['unshare', '--pid', '--fork', '--kill-child', '--mount-proc', '--'],
    // It makes a folder for temporary files, which stays when it is killed.
    ...['env', `TMPDIR=${folder}`, runsc.program, '--root', join(folder, 'state')],
    ...['--network=none', '--platform=kvm', '--ignore-cgroups', 'do', 'true'],
  ];
  try {
    await access('/dev/kvm');
    await mkdir(folder, { recursive: true });
    await runCommand(command, { timeoutMs: TRIAL_TIMEOUT_MS });
    return undefined;
  } catch (error) {
    const code = error instanceof LockstepError ? error.code : undefined;
    if (code === undefined) return '/dev/kvm is not there or not accessible';
    if (code !== 'DEADLINE_EXCEEDED') {
      return `runsc --platform=kvm did not run a program: ${errorMessageOf(error).slice(-300)}`;
    }
    const seconds = TRIAL_TIMEOUT_MS / 1000;
    return `a program under runsc --platform=kvm did not end within ${seconds} s`;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Why a small Linux guest does not run under KVM; undefined if it does or can't be tried. */
async function tryGuest(context: DriverContext): Promise<string | undefined> {
  const architecture = Architecture.safeParse(process.arch).data;
  if (architecture === undefined) return undefined;
  try {
    const kernel = await findGuestKernel(context.guestKernelFolder);
    const images = new GuestImages(join(context.scratchFolder, 'guests'));
    return (await chooseAccelerator(architecture, kernel, images)).reason;
  } catch {
    // Its kernel or QEMU is missing.
    return undefined;
  }
}
