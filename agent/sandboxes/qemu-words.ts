import { Architecture } from '../../schemas/artefact.ts';
import { LockstepError } from '../../schemas/errors.ts';
import { runCommand } from './command.ts';

/** Whether the guest's instructions run on the processor or are translated. */
export type Accelerator = 'kvm' | 'tcg';

/** What any guest of QEMU has, whatever its kernel is. */
export interface CommonGuestOptions {
  readonly architecture: Architecture;
  readonly accelerator: Accelerator;
  readonly memoryMib: number;
  readonly processors: number;
  /** Where QEMU listens for one who speaks QMP; see {@link fitsSocket}. Absent: nowhere. */
  readonly qmpSocket?: string;
}

/** The tap device of a guest. */
export interface GuestNetwork {
  readonly interfaceName: string;
  readonly macAddress: string;
}

/** How a device of virtio is attached: behind PCI, or in memory. */
export type VirtioTransport = 'pci' | 'device';

/** How QEMU begins the name of the thread of each vCPU: `CPU 0/KVM` or `CPU 0/TCG`. */
export const VCPU_THREAD_PREFIX = 'CPU ';

/** The program of each architecture. */
export const QEMU_PROGRAMS: Record<Architecture, string> = {
  x64: 'qemu-system-x86_64',
  arm64: 'qemu-system-aarch64',
};

/** Its package in Debian. */
const QEMU_PACKAGES: Record<Architecture, string> = {
  x64: 'qemu-system-x86',
  arm64: 'qemu-system-arm',
};

// sun_path of unix(7), with the zero at its end.
const SOCKET_PATH_BYTES_MAX = 107;

/** True if a unix socket can be bound to this path. */
export function fitsSocket(path: string): boolean {
  return Buffer.byteLength(path) <= SOCKET_PATH_BYTES_MAX;
}

/** A value within a list of QEMU's: a comma in it is written twice. */
export function quoteValue(value: string): string {
  return value.replaceAll(',', ',,');
}

/** No device that is not asked for, no window, no reboot; the guest's console is QEMU's output. */
export function commonWords(options: CommonGuestOptions): string[] {
  return [
    ...['-accel', options.accelerator],
    // Names its threads, so that those of vCPUs can be told from the others.
    ...['-name', 'lockstep,debug-threads=on'],
    ...['-m', String(options.memoryMib), '-smp', String(options.processors)],
    ...['-nodefaults', '-no-user-config', '-nographic', '-no-reboot', '-monitor', 'none'],
    ...['-serial', 'stdio'],
    ...qmpWords(options),
  ];
}

function qmpWords({ qmpSocket }: CommonGuestOptions): string[] {
  if (qmpSocket === undefined) return [];
  return [
    ...['-chardev', `socket,id=qmp,path=${quoteValue(qmpSocket)},server=on,wait=off`],
    ...['-mon', 'chardev=qmp,mode=control'],
  ];
}

/** The tap of the slot; no script is run for it. */
export function networkWords(
  network: GuestNetwork | undefined,
  transport: VirtioTransport,
): string[] {
  if (network === undefined) return [];
  // Else the firmware would look whether it can boot from the network.
  const rom = transport === 'pci' ? ',romfile=' : '';
  return [
    ...['-netdev', `tap,id=net0,ifname=${network.interfaceName},script=no,downscript=no`],
    ...['-device', `virtio-net-${transport},netdev=net0,mac=${network.macAddress}${rom}`],
  ];
}

/** A raw image: one that only this guest has, or one that it may share because it only reads. */
export function diskWords(
  file: string,
  transport: VirtioTransport,
  access: 'own' | 'readonly' = 'own',
): string[] {
  const mode = access === 'own' ? 'cache=unsafe' : 'readonly=on';
  return [
    ...['-drive', `id=disk0,if=none,format=raw,${mode},file=${quoteValue(file)}`],
    ...['-device', `virtio-blk-${transport},drive=disk0`],
  ];
}

/**
 * The architecture that guests have here.
 *
 * @throws LockstepError SANDBOX_UNAVAILABLE if there are none for this processor.
 */
export function guestArchitecture(): Architecture {
  const architecture = Architecture.safeParse(process.arch).data;
  if (architecture !== undefined) return architecture;
  throw new LockstepError('SANDBOX_UNAVAILABLE', `there are no guests for ${process.arch}`);
}

/**
 * What QEMU says its version is.
 *
 * @throws LockstepError TOOL_MISSING if it is not there or does not run.
 */
export async function readQemuVersion(architecture: Architecture): Promise<string> {
  const program = QEMU_PROGRAMS[architecture];
  try {
    const { stdout } = await runCommand([program, '--version']);
    return /version (\S+)/.exec(stdout)?.[1] ?? 'unknown';
  } catch (cause) {
    throw new LockstepError('TOOL_MISSING', `${program} is not installed or does not run`, {
      cause,
      hint: `apt-get install --no-install-recommends ${QEMU_PACKAGES[architecture]}`,
    });
  }
}
