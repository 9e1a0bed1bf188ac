import type { Architecture } from '../../schemas/artefact.ts';
import { QEMU_PROGRAMS, commonWords, diskWords, networkWords, quoteValue } from './qemu-words.ts';
import type { CommonGuestOptions, GuestNetwork } from './qemu-words.ts';

/**
 * What a Linux kernel needs of the machine. `modular`: a distribution's, which finds its devices by
 * ACPI and has their drivers as modules. `whole`: one with all it needs in it and no ACPI, which is
 * told where the devices are.
 */
export type KernelForm = 'modular' | 'whole';

/** One guest with Linux. */
export interface GuestOptions extends CommonGuestOptions {
  readonly kernelFile: string;
  /** Default modular. */
  readonly kernelForm?: KernelForm;
  /** Absent: the kernel mounts the disk itself. */
  readonly initramfsFile?: string;
  /** A raw image with ext4, this guest's own. Absent: no disk. */
  readonly diskFile?: string;
  /** Path of the first program, and its arguments. */
  readonly init: readonly [path: string, ...words: string[]];
  /** The tap device to use. Absent: no network. */
  readonly network?: GuestNetwork;
  /** Ticks of the time-stamp counter, kHz, for a translated guest. Default: a round number. */
  readonly tscKhz?: number;
  /** Absent: a guest that is neither saved nor restored. */
  readonly saving?: GuestSaving;
}

/** How a guest is saved, or restored. */
export interface GuestSaving {
  /** File that holds the guest's memory. */
  readonly memoryFile: string;
  /** `write` changes the file; `restore` reads it, and keeps its own changes to itself. */
  readonly mode: 'write' | 'restore';
  /** Unix socket of this process that QEMU connects to, to be told what to do by QMP. */
  readonly controlSocket: string;
}

// Where QEMU puts devices on a microvm without ACPI, and the interrupts that belong to them.
const MMIO = { base: 0xfeb0_0000, bytes: 512, count: 8, firstInterrupt: 5 } as const;

const TSC_KHZ_DEFAULT = 2_000_000;

/**
 * The command line of QEMU for one Linux guest with as few devices as possible; the guest's console
 * is QEMU's output.
 */
export function qemuCommand(options: GuestOptions): string[] {
  const { architecture, diskFile, initramfsFile, kernelFile } = options;
  return [
    QEMU_PROGRAMS[architecture],
    ...machineWords(options),
    ...commonWords(options),
    ...savingWords(options),
    ...['-kernel', kernelFile],
    ...(initramfsFile === undefined ? [] : ['-initrd', initramfsFile]),
    ...['-append', kernelCommandLine(options)],
    ...(diskFile === undefined ? [] : diskWords(diskFile, 'device')),
    ...networkWords(options.network, 'device'),
  ];
}

function machineWords({ accelerator, architecture, kernelForm, saving }: GuestOptions): string[] {
  const memory = saving === undefined ? '' : ',memory-backend=memory0';
  if (architecture === 'x64') {
    const bus = kernelForm === 'whole' ? 'acpi=off,auto-kernel-cmdline=off' : 'acpi=on';
    const processor = accelerator === 'kvm' ? 'host' : 'Nehalem-v1';
    return ['-M', `microvm,${bus}${memory}`, '-cpu', processor];
  }
  return accelerator === 'kvm'
    ? ['-M', `virt,gic-version=host${memory}`, '-cpu', 'host']
    : ['-M', `virt,gic-version=2${memory}`, '-cpu', 'cortex-a53'];
}

function savingWords({ memoryMib, saving }: GuestOptions): string[] {
  if (saving === undefined) return [];
  const share = saving.mode === 'write' ? 'on' : 'off';
  const file = quoteValue(saving.memoryFile);
  return [
    '-object',
    `memory-backend-file,id=memory0,size=${memoryMib}M,mem-path=${file},share=${share}`,
    ...['-chardev', `socket,id=control,path=${quoteValue(saving.controlSocket)}`],
    ...['-mon', 'chardev=control,mode=control'],
    ...(saving.mode === 'restore' ? ['-incoming', 'defer'] : []),
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
    ...deviceWords(options),
    ...(options.initramfsFile === undefined
      ? ['root=/dev/vda', 'rootfstype=ext4', 'rw', `init=${path}`]
      : [`rdinit=${path}`]),
    '--',
    ...words,
  ].join(' ');
}

// The machine has no timer to calibrate the time-stamp counter by, and without KVM's clock the
// kernel would wait for one for ever; so it is told a frequency.
function clockWords({ accelerator, architecture, tscKhz }: GuestOptions): string[] {
  return architecture === 'x64' && accelerator === 'tcg'
    ? [`tsc_early_khz=${tscKhz ?? TSC_KHZ_DEFAULT}`, 'tsc=reliable', 'no_timer_check']
    : [];
}

// QEMU would write these words behind the two hyphens, where the kernel does not look for them. A
// place without a device costs one look.
function deviceWords({ architecture, kernelForm }: GuestOptions): string[] {
  if (!isToldDevices(architecture, kernelForm)) return [];
  return Array.from({ length: MMIO.count }, (_, index) => {
    const address = (MMIO.base + index * MMIO.bytes).toString(16);
    return `virtio_mmio.device=${MMIO.bytes}@0x${address}:${MMIO.firstInterrupt + index}`;
  });
}

function isToldDevices(architecture: Architecture, form: KernelForm = 'modular'): boolean {
  // On arm64 every kernel gets a device tree.
  return architecture === 'x64' && form === 'whole';
}
