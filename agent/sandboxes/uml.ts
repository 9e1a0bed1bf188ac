import { mkdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { LockstepError } from '../../schemas/errors.ts';
import { runCommand } from './command.ts';
import type {
  DriverContext,
  Sandbox,
  SandboxDriver,
  SandboxObserver,
  SandboxSpec,
} from './driver.ts';
import { assertRunnable, functionCommand } from './function-root.ts';
import { GuestDisks, assertDisks } from './guest-disk.ts';
import { assertTap, guestWords, guestsFolder } from './microvm-host.ts';
import { createMachine } from './qemu-sandbox.ts';

/**
 * User Mode Linux: a Linux kernel that is an ordinary program of the device, with the function as
 * its first program on an ext4 image, and the limit as its memory. It needs neither QEMU nor KVM:
 * the guest's system calls are caught by ptrace. The tap is attached by the kernel's `tuntap`
 * transport, which names the interface eth0 as in the other guests.
 */
export const umlDriver: SandboxDriver = { name: 'uml', slotKind: 'tap', detect, create };

const PROGRAM = 'linux.uml';

/** Memory above the guest's, MiB: the kernel's own code, and a process for each of the guest's. */
const OVERHEAD_MIB = 128;

const disks = new WeakMap<DriverContext, GuestDisks>();

async function detect(context: DriverContext): Promise<Record<string, string>> {
  if (process.arch !== 'x64') {
    throw new LockstepError('SANDBOX_UNAVAILABLE', `there is no UML for ${process.arch}`, {
      hint: 'measure User Mode Linux on a device with an x64 processor',
    });
  }
  if (context.scratchFolder.includes(',')) {
    throw new LockstepError(
      'SANDBOX_UNAVAILABLE',
      `UML takes a path with a comma for two: ${context.scratchFolder}`,
      { hint: 'let the agent use a folder with another name' },
    );
  }
  const version = await readVersion();
  await assertTap();
  await assertDisks();
  return {
    kernel: version,
    root: 'ext4',
    network: 'tuntap',
    'page-size': await readPageSizes(),
    cgroups: context.cgroups.mode,
  };
}

async function readVersion(): Promise<string> {
  try {
    return (await runCommand([PROGRAM, '--version'])).stdout.trim();
  } catch (cause) {
    throw new LockstepError('TOOL_MISSING', `${PROGRAM} is not installed or does not run`, {
      cause,
      hint: 'apt-get install --no-install-recommends user-mode-linux',
    });
  }
}

/** Which pages the guest's memory may have, since it is a shared file of the device. */
async function readPageSizes(): Promise<string> {
  const file = '/sys/kernel/mm/transparent_hugepage/shmem_enabled';
  const text = await readFile(file, 'utf8').catch(() => '');
  return `huge pages of shared memory: ${/\[(\w+)\]/.exec(text)?.[1] ?? 'unknown'}`;
}

async function create(
  context: DriverContext,
  spec: SandboxSpec,
  observer: SandboxObserver,
): Promise<Sandbox> {
  const { functionRoot, id } = spec;
  await assertRunnable(functionRoot);
  let images = disks.get(context);
  if (images === undefined) {
    images = new GuestDisks(guestsFolder(context));
    disks.set(context, images);
  }
  const folder = join(context.scratchFolder, `${id}.uml`);
  const diskFile = join(folder, 'root.ext4');
  try {
    await mkdir(folder, { recursive: true });
    await images.copyFor(functionRoot, diskFile);
    const command = umlCommand(spec, { folder, diskFile });
    return await createMachine(
      { context, spec, command, overheadMib: OVERHEAD_MIB, files: [folder] },
      observer,
    );
  } catch (error) {
    await rm(folder, { recursive: true, force: true });
    throw error;
  }
}

/**
 * The command line of one guest.
 *
 * @param places the disk, and where the kernel keeps the socket and the id of its process.
 */
export function umlCommand(
  spec: SandboxSpec,
  places: { readonly folder: string; readonly diskFile: string },
): string[] {
  const { functionRoot, id, limits, slot } = spec;
  return [
    PROGRAM,
    `mem=${limits.memoryMib}M`,
    `ubd0=${places.diskFile}`,
    ...['root=/dev/ubda', 'rootfstype=ext4', 'rw'],
    `init=${functionCommand(functionRoot, '')[0] ?? ''}`,
    `eth0=tuntap,${slot.interfaceName},${slot.macAddress}`,
    ...['con=null', 'con0=null,fd:1', 'ssl=null'],
    ...[`uml_dir=${places.folder}`, `umid=${id}`],
    ...['quiet', 'panic=-1', 'random.trust_cpu=on', 'apparmor=0', 'audit=0'],
    '--',
    ...guestWords(spec),
  ];
}
