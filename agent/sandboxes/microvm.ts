import { constants } from 'node:fs';
import { access, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { LockstepError } from '../../schemas/errors.ts';
import { Architecture } from '../../schemas/artefact.ts';
import { readKvmModules } from '../collectors/kvm-modules.ts';
import { runCommand } from './command.ts';
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
import { GUEST_FUNCTION, GuestImages, findGuestKernel } from './guest-image.ts';
import type { GuestKernel } from './guest-image.ts';
import { chooseAccelerator } from './kvm-probe.ts';
import type { AcceleratorChoice } from './kvm-probe.ts';
import { QEMU_PROGRAMS, qemuCommand } from './qemu-command.ts';
import { vmmTarget } from './vmm-target.ts';

/**
 * A Linux guest of its own in QEMU, with the function as its first program and the limit as its
 * memory. Under KVM if a probe guest ran under it, else translated (TCG).
 */
export const microvmDriver: SandboxDriver = { name: 'microvm', slotKind: 'tap', detect, create };

/**
 * Memory that QEMU may use beside the guest's, MiB: its own code and heap, the translated code of
 * TCG, and the pages of kernel and initial RAM file system that it reads.
 */
export const QEMU_MEMORY_MIB = 256;

/** What is found out once for all guests of a runner. */
interface Host {
  readonly architecture: Architecture;
  readonly kernel: GuestKernel;
  readonly images: GuestImages;
  readonly choice: AcceleratorChoice;
  readonly qemuVersion: string;
}

const hosts = new WeakMap<DriverContext, Promise<Host>>();

async function detect(context: DriverContext): Promise<Record<string, string>> {
  const { choice, kernel, qemuVersion } = await findHost(context);
  const modules = readKvmModules();
  return {
    version: qemuVersion,
    accelerator: choice.accelerator,
    // What a module counts is its own matter: figures of two modules can't be compared.
    ...(modules.length === 0 ? {} : { 'kvm-modules': modules.join(' ') }),
    ...(choice.reason === undefined ? {} : { 'kvm-unused': choice.reason.slice(0, 256) }),
    kernel: kernel.version,
    cgroups: context.cgroups.mode,
  };
}

function findHost(context: DriverContext): Promise<Host> {
  const known = hosts.get(context);
  if (known !== undefined) return known;
  const host = exploreHost(context);
  hosts.set(context, host);
  host.catch(() => hosts.delete(context));
  return host;
}

async function exploreHost(context: DriverContext): Promise<Host> {
  const architecture = Architecture.safeParse(process.arch).data;
  if (architecture === undefined) {
    throw new LockstepError('SANDBOX_UNAVAILABLE', `there are no guests for ${process.arch}`);
  }
  const qemuVersion = await readQemuVersion(architecture);
  const kernel = await findGuestKernel(context.guestKernelFolder);
  await assertTap();
  const images = new GuestImages(join(context.scratchFolder, 'guests'));
  const choice = await chooseAccelerator(architecture, kernel, images);
  return { architecture, kernel, images, choice, qemuVersion };
}

async function readQemuVersion(architecture: Architecture): Promise<string> {
  const program = QEMU_PROGRAMS[architecture];
  try {
    const { stdout } = await runCommand([program, '--version']);
    return /version (\S+)/.exec(stdout)?.[1] ?? 'unknown';
  } catch (cause) {
    const name = architecture === 'x64' ? 'qemu-system-x86' : 'qemu-system-arm';
    throw new LockstepError('TOOL_MISSING', `${program} is not installed or does not run`, {
      cause,
      hint: `apt-get install --no-install-recommends ${name}`,
    });
  }
}

async function assertTap(): Promise<void> {
  try {
    await access('/dev/net/tun', constants.R_OK | constants.W_OK);
  } catch (cause) {
    throw new LockstepError('SANDBOX_UNAVAILABLE', '/dev/net/tun is not there or not accessible', {
      cause,
      hint: 'load the tun module, and run the agent as root or let it use /dev/net/tun',
    });
  }
}

async function create(
  context: DriverContext,
  spec: SandboxSpec,
  observer: SandboxObserver,
): Promise<Sandbox> {
  const { cgroups } = context;
  const { functionRoot, id, limits, slot } = spec;
  await assertRunnable(functionRoot);
  const { architecture, choice, images, kernel } = await findHost(context);
  const vmm = vmmTarget(context, spec, choice);
  const removeSocket = async (): Promise<void> => {
    // QEMU removes its socket itself, but not when it is killed.
    if (vmm.qmpSocket !== undefined) await rm(vmm.qmpSocket, { force: true });
  };
  const command = qemuCommand({
    architecture,
    accelerator: choice.accelerator,
    kernelFile: kernel.kernelFile,
    initramfsFile: await images.forFunction(functionRoot, kernel),
    memoryMib: limits.memoryMib,
    processors: vmm.vcpus,
    init: [GUEST_FUNCTION, ...guestWords(spec)],
    network: slot,
    ...(vmm.qmpSocket === undefined ? {} : { qmpSocket: vmm.qmpSocket }),
  });
  try {
    await cgroups.create(id, { ...limits, memoryMib: limits.memoryMib + QEMU_MEMORY_MIB });
    const gate = await Gate.create({
      command,
      joinFiles: cgroups.joinFiles(id),
      onPhase: (phase, atMonoNs) => {
        observer.onPhase(phase, atMonoNs);
      },
    });
    return new GatedSandbox({
      id,
      gate,
      cgroups,
      observer,
      networkInterface: slot.interfaceName,
      vmm,
      commandIs: 'sandbox',
      // The guest has no button to press; QEMU ends in order, and the guest with it.
      requestStop: () => {
        gate.kill('SIGTERM');
        return Promise.resolve();
      },
      dispose: removeSocket,
    });
  } catch (error) {
    return undo([removeSocket, () => cgroups.remove(id), () => cgroups.killAll(id)], error);
  }
}

function guestWords(spec: SandboxSpec): string[] {
  const [, ...words] = functionCommandLine(spec, '');
  return ['--guest-address', `${spec.slot.address}/${spec.slot.prefixLength}`, ...words];
}
