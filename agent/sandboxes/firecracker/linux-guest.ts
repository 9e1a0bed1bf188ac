import { join } from 'node:path';
import { Architecture } from '../../../schemas/artefact.ts';
import { LockstepError, errorMessageOf } from '../../../schemas/errors.ts';
import type { DriverContext, SandboxSpec } from '../driver.ts';
import { functionCommand } from '../function-root.ts';
import { GuestDisks, assertDisks } from '../guest-disk.ts';
import { GUEST_FUNCTION, GuestImages } from '../guest-image.ts';
import { findKernel } from '../guest-kernel.ts';
import type { FoundKernel } from '../guest-kernel.ts';
import type { Lack } from '../host-lacks.ts';
import { guestWords, guestsFolder } from '../microvm-host.ts';
import { probeInit } from '../probe-init.ts';
import type { GuestKind, GuestPayload } from './guest.ts';
import { kernelUnfit } from './guest-kernel.ts';

/** What guests of a runner boot with. */
interface LinuxGuests {
  readonly architecture: Architecture;
  readonly kernel: FoundKernel;
  /** An initial RAM file system only if the published kernel has no driver for disks. */
  readonly root: 'ext4' | 'initramfs';
  readonly images: GuestImages;
  readonly disks: GuestDisks;
}

/** What differs in Linux guests from one VMM to another. */
export interface LinuxDialect {
  /** The VMM, for errors. */
  readonly vmm: string;
  /** Words of the kernel's command line before all others. */
  words(architecture: Architecture): readonly string[];
  /** True if the VMM itself adds `root=` for a root device. */
  readonly addsRoot: boolean;
  /** True if the published kernel's modules are those of its devices. */
  readonly takesPublishedKernel: boolean;
}

/** Firecracker's: virtio by memory-mapped registers, and a reset by the keyboard to end it. */
const FIRECRACKER_DIALECT: LinuxDialect = {
  vmm: 'Firecracker',
  // A panic must come to the reset at once.
  words: () => [
    ...['console=ttyS0', 'reboot=k', 'panic=-1', 'pci=off'],
    ...['i8042.noaux', 'i8042.nomux', 'i8042.dumbkbd'],
  ],
  addsRoot: true,
  takesPublishedKernel: true,
};

/** Linux guests of Firecracker. */
export const firecrackerLinux: GuestKind = linuxGuest(FIRECRACKER_DIALECT);

/**
 * Linux with the function as its first program, on an ext4 image of its own that it may write to:
 * with the user's own kernel if there is one, which mounts it by itself, else with the published
 * kernel, whose modules and a small program on an initial RAM file system go before.
 */
export function linuxGuest(dialect: LinuxDialect): GuestKind {
  const found = new WeakMap<DriverContext, Promise<LinuxGuests>>();
  const guestsOf = (context: DriverContext): Promise<LinuxGuests> => {
    const known = found.get(context);
    if (known !== undefined) return known;
    const guests = findGuests(context, dialect);
    found.set(context, guests);
    guests.catch(() => found.delete(context));
    return guests;
  };
  return {
    lacks: (context) => lacks(() => guestsOf(context)),
    describe: async (context) => describe(await guestsOf(context)),
    diskFiles: async (context) => [(await guestsOf(context)).kernel.kernelFile],
    probe: async (context) => probe(await guestsOf(context), dialect),
    payload: async (context, spec) =>
      payload(context, { guests: await guestsOf(context), spec }, dialect),
  };
}

async function findGuests(context: DriverContext, dialect: LinuxDialect): Promise<LinuxGuests> {
  const architecture = Architecture.safeParse(process.arch).data;
  if (architecture === undefined) {
    throw new LockstepError('SANDBOX_UNAVAILABLE', `there are no guests for ${process.arch}`);
  }
  await assertDisks();
  const kernel = await findKernel(context);
  const { form, kernelFile } = kernel;
  const hint =
    'name an uncompressed kernel with virtio and ext4 in it in LOCKSTEP_GUEST_VMLINUX' +
    (dialect.takesPublishedKernel ? ', or install lz4 and build the artefact guest-kernel' : '');
  if (form === 'modular' && !dialect.takesPublishedKernel) {
    throw new LockstepError(
      'SANDBOX_UNAVAILABLE',
      `the published kernel has no drivers for the devices of ${dialect.vmm}`,
      { hint },
    );
  }
  const unfit = await kernelUnfit(kernelFile, architecture);
  if (unfit !== undefined) {
    throw new LockstepError(
      'SANDBOX_UNAVAILABLE',
      `${dialect.vmm} can't boot the kernel ${kernelFile}: ${unfit}`,
      { hint },
    );
  }
  const folder = guestsFolder(context);
  const images = new GuestImages(folder);
  // A kernel of an earlier set-up has no module for it; the details say so.
  const canPivot = await images.forPivot(kernel, '/function').then(
    () => true,
    () => false,
  );
  const root = form === 'whole' || canPivot ? 'ext4' : 'initramfs';
  return { architecture, kernel, root, images, disks: new GuestDisks(folder) };
}

async function lacks(find: () => Promise<LinuxGuests>): Promise<Lack[]> {
  try {
    await find();
    return [];
  } catch (error) {
    const hint = error instanceof LockstepError ? error.hint : undefined;
    return [{ what: errorMessageOf(error), remedy: hint ?? 'look at the message' }];
  }
}

function describe({ kernel, root }: LinuxGuests): Record<string, string> {
  return {
    kernel: kernel.version,
    'kernel-form': kernel.form,
    root,
    images: 'in memory',
  };
}

async function probe(guests: LinuxGuests, dialect: LinuxDialect): Promise<GuestPayload> {
  const { architecture, images, kernel } = guests;
  return {
    kernelFile: kernel.kernelFile,
    initrdFile: await images.forProgram('/probe', probeInit(architecture)),
    bootArgs: bootArguments(dialect.words(architecture), ['rdinit=/probe']),
    drives: [],
  };
}

async function payload(
  context: DriverContext,
  { guests, spec }: { readonly guests: LinuxGuests; readonly spec: SandboxSpec },
  dialect: LinuxDialect,
): Promise<GuestPayload> {
  const { architecture, disks, images, kernel } = guests;
  const { functionRoot } = spec;
  if (!functionRoot.manifest.staticBinary) {
    throw new LockstepError(
      'IMAGE_INVALID',
      `function ${functionRoot.manifest.name} is no static program, which a guest needs`,
      { hint: 'measure it in other sandboxes, or build it as a static program' },
    );
  }
  const first = dialect.words(architecture);
  const words = ['--', ...guestWords(spec)];
  if (guests.root === 'initramfs') {
    return {
      kernelFile: kernel.kernelFile,
      initrdFile: await images.forFunction(functionRoot, kernel),
      bootArgs: bootArguments(first, [`rdinit=${GUEST_FUNCTION}`, ...words]),
      drives: [],
    };
  }
  const [path = ''] = functionCommand(functionRoot, '');
  const isWhole = kernel.form === 'whole';
  const rootWords = isWhole && !dialect.addsRoot ? ['root=/dev/vda', 'rw'] : [];
  const init = isWhole ? ['rootfstype=ext4', `init=${path}`] : [`rdinit=${path}`];
  const file = join(context.scratchFolder, `${spec.id}.ext4`);
  await disks.copyFor(functionRoot, file);
  return {
    kernelFile: kernel.kernelFile,
    ...(isWhole ? {} : { initrdFile: await images.forPivot(kernel, path) }),
    bootArgs: bootArguments([...first, ...rootWords], [...init, ...words]),
    drives: [{ id: 'rootfs', file, isRoot: isWhole, isReadOnly: false }],
  };
}

/** The kernel's command line. */
function bootArguments(first: readonly string[], last: readonly string[]): string {
  return [
    ...first,
    'quiet',
    // What the function does not need and the boot would wait for, as for other microVMs.
    ...['cryptomgr.notests', 'rcupdate.rcu_expedited=1', 'mitigations=off'],
    ...['random.trust_cpu=on', 'apparmor=0', 'audit=0'],
    ...last,
  ].join(' ');
}
