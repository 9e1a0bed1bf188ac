import type { Architecture } from '../../schemas/artefact.ts';

/** Whether the guest's instructions run on the processor or are translated. */
export type Accelerator = 'kvm' | 'tcg';

/** One guest. */
export interface GuestOptions {
  readonly architecture: Architecture;
  readonly accelerator: Accelerator;
  readonly kernelFile: string;
  readonly initramfsFile: string;
  readonly memoryMib: number;
  readonly processors: number;
  /** Path of the first program in the initial RAM file system, and its arguments. */
  readonly init: readonly [path: string, ...words: string[]];
  /** The tap device to use. Absent: no network. */
  readonly network?: { readonly interfaceName: string; readonly macAddress: string };
  /** Where QEMU listens for one who speaks QMP; see {@link fitsSocket}. Absent: nowhere. */
  readonly qmpSocket?: string;
}

/** How QEMU begins the name of the thread of each vCPU: `CPU 0/KVM` or `CPU 0/TCG`. */
export const VCPU_THREAD_PREFIX = 'CPU ';

// sun_path of unix(7), with the zero at its end.
const SOCKET_PATH_BYTES_MAX = 107;

/** True if a unix socket can be bound to this path. */
export function fitsSocket(path: string): boolean {
  return Buffer.byteLength(path) <= SOCKET_PATH_BYTES_MAX;
}

/** The program of each architecture. */
export const QEMU_PROGRAMS: Record<Architecture, string> = {
  x64: 'qemu-system-x86_64',
  arm64: 'qemu-system-aarch64',
};

/**
 * The command line of QEMU for one guest with as few devices as possible; the guest's console is
 * QEMU's output.
 */
export function qemuCommand(options: GuestOptions): string[] {
  return [
    QEMU_PROGRAMS[options.architecture],
    ...machineWords(options.architecture, options.accelerator),
    ...['-accel', options.accelerator],
    // Names its threads, so that those of vCPUs can be told from the others.
    ...['-name', 'lockstep,debug-threads=on'],
    ...['-m', String(options.memoryMib), '-smp', String(options.processors)],
    ...['-nodefaults', '-no-user-config', '-nographic', '-no-reboot', '-monitor', 'none'],
    ...['-serial', 'stdio'],
    ...qmpWords(options),
    ...['-kernel', options.kernelFile, '-initrd', options.initramfsFile],
    ...['-append', kernelCommandLine(options)],
    ...networkWords(options),
  ];
}

function machineWords(architecture: Architecture, accelerator: Accelerator): string[] {
  if (architecture === 'x64') {
    // Debian's kernel finds the virtio devices by ACPI only.
    return ['-M', 'microvm,acpi=on', '-cpu', accelerator === 'kvm' ? 'host' : 'Nehalem-v1'];
  }
  return accelerator === 'kvm'
    ? ['-M', 'virt,gic-version=host', '-cpu', 'host']
    : ['-M', 'virt,gic-version=2', '-cpu', 'cortex-a53'];
}

function networkWords({ network }: GuestOptions): string[] {
  if (network === undefined) return [];
  return [
    ...['-netdev', `tap,id=net0,ifname=${network.interfaceName},script=no,downscript=no`],
    ...['-device', `virtio-net-device,netdev=net0,mac=${network.macAddress}`],
  ];
}

function qmpWords({ qmpSocket }: GuestOptions): string[] {
  if (qmpSocket === undefined) return [];
  // A comma in a value is written twice.
  const path = qmpSocket.replaceAll(',', ',,');
  return [
    ...['-chardev', `socket,id=qmp,path=${path},server=on,wait=off`],
    ...['-mon', 'chardev=qmp,mode=control'],
  ];
}

function kernelCommandLine(options: GuestOptions): string {
  const [path, ...words] = options.init;
  return [
    `console=${options.architecture === 'x64' ? 'ttyS0' : 'ttyAMA0'}`,
    'quiet',
    // A guest whose init ended or whose kernel panicked ends QEMU.
    ...['reboot=t', 'panic=-1'],
    // What the function does not need and the boot would wait for.
    ...['cryptomgr.notests', 'rcupdate.rcu_expedited=1', 'mitigations=off'],
    ...['random.trust_cpu=on', 'apparmor=0', 'audit=0'],
    'initcall_blacklist=init_kprobe_trace,load_system_certificate_list,crypto_kdf108_init,' +
      'cubictcp_register',
    ...clockWords(options),
    `rdinit=${path}`,
    '--',
    ...words,
  ].join(' ');
}

// The machine has no timer to calibrate the time-stamp counter by, and without KVM's clock the
// kernel would wait for one for ever; so it is told a frequency.
function clockWords({ architecture, accelerator }: GuestOptions): string[] {
  return architecture === 'x64' && accelerator === 'tcg'
    ? ['tsc_early_khz=2000000', 'no_timer_check']
    : [];
}
