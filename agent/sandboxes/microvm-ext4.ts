import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type {
  DriverContext,
  Sandbox,
  SandboxDriver,
  SandboxObserver,
  SandboxSpec,
} from './driver.ts';
import { assertRunnable, functionCommand } from './function-root.ts';
import { assertDisks } from './guest-disk.ts';
import { describeMicrovm, findMicrovmHost, guestWords } from './microvm-host.ts';
import type { MicrovmHost } from './microvm-host.ts';
import { qemuCommand } from './qemu-command.ts';
import { createMachine } from './qemu-sandbox.ts';
import { vmmTarget } from './vmm-target.ts';

/**
 * As microvm, but the function and its files are on an ext4 image behind virtio-blk, which the
 * function may write to. The image is made once for each function and copied for each guest, before
 * the timed part. An own kernel mounts it by itself; a kernel with modules is first given these and
 * a small program on an initial RAM file system, which goes over to the image.
 */
export const microvmExt4Driver: SandboxDriver = {
  name: 'microvm-ext4',
  slotKind: 'tap',
  detect,
  create,
};

async function detect(context: DriverContext): Promise<Record<string, string>> {
  const { images, kernel } = await findMicrovmHost(context);
  await assertDisks();
  if (kernel.form === 'modular') await images.forPivot(kernel, '/function');
  return { ...(await describeMicrovm(context)), root: 'ext4' };
}

async function create(
  context: DriverContext,
  spec: SandboxSpec,
  observer: SandboxObserver,
): Promise<Sandbox> {
  const { functionRoot, id, limits, slot } = spec;
  await assertRunnable(functionRoot);
  const host = await findMicrovmHost(context);
  const vmm = vmmTarget(context, spec, host.choice);
  const diskFile = join(context.scratchFolder, `${id}.ext4`);
  const path = functionCommand(functionRoot, '')[0] ?? '';
  const command = qemuCommand({
    architecture: host.architecture,
    accelerator: host.choice.accelerator,
    kernelFile: host.kernel.kernelFile,
    kernelForm: host.kernel.form,
    ...(host.tscKhz === undefined ? {} : { tscKhz: host.tscKhz }),
    ...(await pivotOption(host, path)),
    diskFile,
    memoryMib: limits.memoryMib,
    processors: vmm.vcpus,
    init: [path, ...guestWords(spec)],
    network: slot,
    ...(vmm.qmpSocket === undefined ? {} : { qmpSocket: vmm.qmpSocket }),
  });
  try {
    await host.disks.copyFor(functionRoot, diskFile);
    return await createMachine({ context, spec, command, vmm, files: [diskFile] }, observer);
  } catch (error) {
    await rm(diskFile, { force: true });
    throw error;
  }
}

async function pivotOption(
  { images, kernel }: MicrovmHost,
  path: string,
): Promise<{ initramfsFile?: string }> {
  if (kernel.form === 'whole') return {};
  return { initramfsFile: await images.forPivot(kernel, path) };
}
