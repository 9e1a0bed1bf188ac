import { LockstepError, errorMessageOf } from '../../../schemas/errors.ts';
import type { DriverContext } from '../driver.ts';
import { guestsFolder } from '../microvm-host.ts';
import { OSV_LOADER, osvCommandLine } from '../osv.ts';
import { OsvDisks } from '../osv-image.ts';
import { findSupplied } from '../supplied-files.ts';
import { assertOneProgram } from '../unikernel-host.ts';
import type { GuestKind } from './guest.ts';
import { shortDigest } from './guest-kernel.ts';
import { firecrackerLinux } from './linux-guest.ts';

const disks = new WeakMap<DriverContext, OsvDisks>();

function disksOf(context: DriverContext): OsvDisks {
  const known = disks.get(context) ?? new OsvDisks(guestsFolder(context));
  disks.set(context, known);
  return known;
}

/**
 * OSv in Firecracker: the user's kernel by itself, and an image for each function that its guests
 * only read. As for Nanos, a small Linux guest shows whether KVM runs guests.
 */
export const osvGuest: GuestKind = {
  lacks: async (context) => {
    try {
      await findSupplied(context, OSV_LOADER);
      return [];
    } catch (error) {
      const hint = error instanceof LockstepError ? error.hint : undefined;
      return [{ what: errorMessageOf(error), remedy: hint ?? 'look at the message' }];
    }
  },
  describe: async (context) => ({
    kernel: await shortDigest(await findSupplied(context, OSV_LOADER)),
    images: 'in memory',
  }),
  diskFiles: async (context) => [await findSupplied(context, OSV_LOADER)],
  probe: async (context) => {
    const lacks = await firecrackerLinux.lacks(context);
    return lacks.length === 0 ? firecrackerLinux.probe(context) : undefined;
  },
  payload: async (context, spec) => {
    await assertOneProgram(spec.functionRoot, 'OSv');
    const file = await disksOf(context).forFunction(spec.functionRoot);
    return {
      kernelFile: await findSupplied(context, OSV_LOADER),
      // Firecracker's devices stand at memory-mapped registers unless it is told otherwise.
      bootArgs: `--nopci ${osvCommandLine(spec)}`,
      drives: [{ id: 'rootfs', file, isRoot: false, isReadOnly: true }],
    };
  },
};
