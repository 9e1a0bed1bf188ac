import { access, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { LockstepError } from '../../schemas/errors.ts';
import type {
  DriverContext,
  Sandbox,
  SandboxDriver,
  SandboxObserver,
  SandboxSpec,
} from './driver.ts';
import { shortDigest } from './firecracker/guest-kernel.ts';
import { assertRunnable } from './function-root.ts';
import { describeAccelerator } from './microvm-host.ts';
import { findNanosFiles, writeNanosDisk } from './nanos-image.ts';
import type { NanosFiles } from './nanos-image.ts';
import { createMachine } from './qemu-sandbox.ts';
import { QEMU_PROGRAMS, commonWords, diskWords, networkWords } from './qemu-words.ts';

import { assertExecutable, assertOneProgram, findUnikernelHost } from './unikernel-host.ts';
import type { UnikernelHost } from './unikernel-host.ts';
import { vmmTarget } from './vmm-target.ts';

/**
 * Nanos, a unikernel that runs one Linux program, in QEMU. The user supplies its kernel, its boot
 * image and its image tool; see `nanos-image.ts`. The image with the function and its addresses is
 * made for each guest, before the timed part. The kernel is started by itself (qboot), as fast as
 * this machine can; the disk holds only the program.
 */
export const nanosDriver: SandboxDriver = { name: 'nanos', slotKind: 'tap', detect, create };

/** A firmware of QEMU that does nothing but start a kernel. */
const FIRMWARES = ['/usr/share/qemu/qboot.rom', '/usr/share/seabios/qboot.rom'];

async function detect(context: DriverContext): Promise<Record<string, string>> {
  const files = await findNanosFiles(context);
  await assertExecutable(files.mkfs);
  await findFirmware();
  const { choice, qemuVersion } = await findUnikernelHost(context);
  return {
    version: qemuVersion,
    ...describeAccelerator(choice),
    kernel: await shortDigest(files.kernel),
    mkfs: await shortDigest(files.mkfs),
    machine: 'q35, qboot',
    cgroups: context.cgroups.mode,
  };
}

async function findFirmware(): Promise<string> {
  for (const path of FIRMWARES) {
    const isThere = await access(path).then(
      () => true,
      () => false,
    );
    if (isThere) return path;
  }
  throw new LockstepError('TOOL_MISSING', 'QEMU came without its firmware qboot', {
    hint: 'apt-get install --no-install-recommends qemu-system-data',
  });
}

async function create(
  context: DriverContext,
  spec: SandboxSpec,
  observer: SandboxObserver,
): Promise<Sandbox> {
  const { functionRoot, id } = spec;
  await assertRunnable(functionRoot);
  await assertOneProgram(functionRoot, 'Nanos');
  const host = await findUnikernelHost(context);
  const files = await findNanosFiles(context);
  const vmm = vmmTarget(context, spec, host.choice);
  const diskFile = join(context.scratchFolder, `${id}.nanos`);
  const command = nanosCommand(host, spec, {
    files,
    diskFile,
    firmware: await findFirmware(),
    processors: vmm.vcpus,
    ...(vmm.qmpSocket === undefined ? {} : { qmpSocket: vmm.qmpSocket }),
  });
  try {
    await writeNanosDisk(files, spec, diskFile);
    return await createMachine({ context, spec, command, vmm, files: [diskFile] }, observer);
  } catch (error) {
    await rm(diskFile, { force: true });
    throw error;
  }
}

/** The command line of QEMU for one guest. */
export function nanosCommand(
  { architecture, choice }: Pick<UnikernelHost, 'architecture' | 'choice'>,
  { limits, slot }: Pick<SandboxSpec, 'limits' | 'slot'>,
  plan: {
    readonly files: Pick<NanosFiles, 'kernel'>;
    readonly diskFile: string;
    readonly firmware: string;
    readonly processors: number;
    readonly qmpSocket?: string;
  },
): string[] {
  const { diskFile, files, firmware, processors, qmpSocket } = plan;
  return [
    QEMU_PROGRAMS[architecture],
    ...['-M', 'q35', '-cpu', choice.accelerator === 'kvm' ? 'host' : 'Nehalem-v1'],
    ...commonWords({
      architecture,
      accelerator: choice.accelerator,
      memoryMib: limits.memoryMib,
      processors,
      ...(qmpSocket === undefined ? {} : { qmpSocket }),
    }),
    ...['-bios', firmware, '-kernel', files.kernel],
    // By this the guest ends QEMU when its program has ended.
    ...['-device', 'isa-debug-exit'],
    ...diskWords(diskFile, 'pci'),
    ...networkWords(slot, 'pci'),
  ];
}
