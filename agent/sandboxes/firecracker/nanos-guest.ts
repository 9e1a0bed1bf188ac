import { join } from 'node:path';
import { LockstepError, errorMessageOf } from '../../../schemas/errors.ts';
import { findNanosFiles, writeNanosDisk } from '../nanos-image.ts';
import { assertExecutable, assertOneProgram } from '../unikernel-host.ts';
import type { GuestKind } from './guest.ts';
import { shortDigest } from './guest-kernel.ts';
import { firecrackerLinux } from './linux-guest.ts';

/**
 * Nanos in Firecracker: the user's kernel by itself, and an image of its own for each guest, with
 * the function and its addresses in it. Where it does not come up it says nothing, so a small Linux
 * guest shows whether KVM runs guests, if there is a kernel for one.
 */
export const nanosGuest: GuestKind = {
  lacks: async (context) => {
    try {
      await assertExecutable((await findNanosFiles(context)).mkfs);
      return [];
    } catch (error) {
      const hint = error instanceof LockstepError ? error.hint : undefined;
      return [{ what: errorMessageOf(error), remedy: hint ?? 'look at the message' }];
    }
  },
  describe: async (context) => {
    const { kernel, mkfs } = await findNanosFiles(context);
    return {
      kernel: await shortDigest(kernel),
      mkfs: await shortDigest(mkfs),
      images: 'in memory',
    };
  },
  diskFiles: async (context) => [(await findNanosFiles(context)).kernel],
  probe: async (context) => {
    const lacks = await firecrackerLinux.lacks(context);
    return lacks.length === 0 ? firecrackerLinux.probe(context) : undefined;
  },
  payload: async (context, spec) => {
    await assertOneProgram(spec.functionRoot, 'Nanos');
    const files = await findNanosFiles(context);
    const file = join(context.scratchFolder, `${spec.id}.raw`);
    await writeNanosDisk(files, spec, file);
    return {
      kernelFile: files.kernel,
      bootArgs: '',
      drives: [{ id: 'rootfs', file, isRoot: true, isReadOnly: false }],
    };
  },
};
