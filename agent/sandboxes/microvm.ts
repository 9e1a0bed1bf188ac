import type {
  DriverContext,
  Sandbox,
  SandboxDriver,
  SandboxObserver,
  SandboxSpec,
} from './driver.ts';
import { assertRunnable } from './function-root.ts';
import { GUEST_FUNCTION } from './guest-image.ts';
import { describeMicrovm, findMicrovmHost, guestWords } from './microvm-host.ts';
import { qemuCommand } from './qemu-command.ts';
import { createMachine } from './qemu-sandbox.ts';
import { vmmTarget } from './vmm-target.ts';

/**
 * A Linux guest of its own in QEMU, with the function as its first program on an initial RAM file
 * system, and the limit as its memory. Under KVM if a probe guest ran under it, else translated
 * (TCG).
 */
export const microvmDriver: SandboxDriver = {
  name: 'microvm',
  slotKind: 'tap',
  detect: describeMicrovm,
  coldFiles: async (context, functionRoot) => {
    const { images, kernel } = await findMicrovmHost(context);
    return [kernel.kernelFile, await images.forFunction(functionRoot, kernel)];
  },
  create,
};

async function create(
  context: DriverContext,
  spec: SandboxSpec,
  observer: SandboxObserver,
): Promise<Sandbox> {
  const { functionRoot, limits, slot } = spec;
  await assertRunnable(functionRoot);
  const { architecture, choice, images, kernel, tscKhz } = await findMicrovmHost(context);
  const vmm = vmmTarget(context, spec, choice);
  const command = qemuCommand({
    architecture,
    accelerator: choice.accelerator,
    kernelFile: kernel.kernelFile,
    kernelForm: kernel.form,
    ...(tscKhz === undefined ? {} : { tscKhz }),
    initramfsFile: await images.forFunction(functionRoot, kernel),
    memoryMib: limits.memoryMib,
    processors: vmm.vcpus,
    init: [GUEST_FUNCTION, ...guestWords(spec)],
    network: slot,
    ...(vmm.qmpSocket === undefined ? {} : { qmpSocket: vmm.qmpSocket }),
  });
  return createMachine({ context, spec, command, vmm }, observer);
}
