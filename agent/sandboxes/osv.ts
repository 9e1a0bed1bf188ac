import type {
  DriverContext,
  Sandbox,
  SandboxDriver,
  SandboxObserver,
  SandboxSpec,
} from './driver.ts';
import { shortDigest } from './firecracker/guest-kernel.ts';
import { assertRunnable, functionCommandLine } from './function-root.ts';
import { describeAccelerator, guestsFolder } from './microvm-host.ts';
import { netmask } from './nanos-image.ts';
import { OsvDisks } from './osv-image.ts';
import { createMachine } from './qemu-sandbox.ts';
import { QEMU_PROGRAMS, commonWords, diskWords, networkWords } from './qemu-words.ts';
import { findSupplied } from './supplied-files.ts';
import { assertOneProgram, findUnikernelHost } from './unikernel-host.ts';
import type { UnikernelHost } from './unikernel-host.ts';
import { vmmTarget } from './vmm-target.ts';

/**
 * OSv, a unikernel that runs one Linux program, in QEMU. The user supplies its kernel
 * (`loader-stripped.elf` of a build with a read-only root: fs=rofs); the image with the function is
 * made here, once for each function, and only read by its guests. The function must be a static
 * program that can be loaded at any address. What it writes to /tmp stays in the guest's memory.
 */
export const osvDriver: SandboxDriver = { name: 'osv', slotKind: 'tap', detect, create };

/** OSv's kernel, which is loaded as it is. */
export const OSV_LOADER = {
  variable: 'LOCKSTEP_OSV_LOADER',
  place: 'osv/loader-stripped.elf',
  what: "OSv's kernel",
} as const;

const disks = new WeakMap<DriverContext, OsvDisks>();

async function detect(context: DriverContext): Promise<Record<string, string>> {
  const loader = await findSupplied(context, OSV_LOADER);
  const { choice, qemuVersion } = await findUnikernelHost(context);
  return {
    version: qemuVersion,
    ...describeAccelerator(choice),
    kernel: await shortDigest(loader),
    machine: 'pc',
    root: 'rofs',
    cgroups: context.cgroups.mode,
  };
}

async function create(
  context: DriverContext,
  spec: SandboxSpec,
  observer: SandboxObserver,
): Promise<Sandbox> {
  const { functionRoot } = spec;
  await assertRunnable(functionRoot);
  await assertOneProgram(functionRoot, 'OSv');
  const host = await findUnikernelHost(context);
  const loader = await findSupplied(context, OSV_LOADER);
  const vmm = vmmTarget(context, spec, host.choice);
  let images = disks.get(context);
  if (images === undefined) {
    images = new OsvDisks(guestsFolder(context));
    disks.set(context, images);
  }
  const command = osvCommand(host, spec, {
    loader,
    diskFile: await images.forFunction(functionRoot),
    processors: vmm.vcpus,
    ...(vmm.qmpSocket === undefined ? {} : { qmpSocket: vmm.qmpSocket }),
  });
  return createMachine({ context, spec, command, vmm }, observer);
}

/** The command line of QEMU for one guest. */
export function osvCommand(
  { architecture, choice }: Pick<UnikernelHost, 'architecture' | 'choice'>,
  spec: SandboxSpec,
  plan: {
    readonly loader: string;
    readonly diskFile: string;
    readonly processors: number;
    readonly qmpSocket?: string;
  },
): string[] {
  const { diskFile, loader, processors, qmpSocket } = plan;
  return [
    QEMU_PROGRAMS[architecture],
    ...['-M', 'pc', '-cpu', choice.accelerator === 'kvm' ? 'host' : 'max'],
    ...commonWords({
      architecture,
      accelerator: choice.accelerator,
      memoryMib: spec.limits.memoryMib,
      processors,
      ...(qmpSocket === undefined ? {} : { qmpSocket }),
    }),
    ...['-kernel', loader, '-append', osvCommandLine(spec)],
    ...diskWords(diskFile, 'pci', 'readonly'),
    ...['-device', 'virtio-rng-pci'],
    ...networkWords(spec.slot, 'pci'),
  ];
}

/** What OSv is told: its root, its address, and the function's command. */
export function osvCommandLine(spec: SandboxSpec): string {
  const { slot } = spec;
  return [
    '--rootfs=rofs',
    `--ip=eth0,${slot.address},${netmask(slot.prefixLength)}`,
    `--defaultgw=${slot.gatewayAddress}`,
    ...functionCommandLine(spec, ''),
  ].join(' ');
}
