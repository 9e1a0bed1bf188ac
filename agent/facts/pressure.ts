import { readFileSync } from 'node:fs';
import { release } from 'node:os';
import { join } from 'node:path';
import type { DeviceFacts } from '../../schemas/device.ts';
import { kernelOption, readKernelConfig } from './kernel-config.ts';
import type { FactRoots } from './sources.ts';

const TURN_ON = 'Add psi=1 to the command line of the kernel and restart the device.';

/**
 * Whether the kernel tells how long tasks wait (PSI), and what would make it. The folder is there
 * only if it is on; a file that can't be opened for want of support is the same on older kernels.
 * Source: Documentation/accounting/psi.rst, kernel/sched/psi.c.
 */
export function readPressureFact(roots: FactRoots): NonNullable<DeviceFacts['pressure']> {
  const path = join(roots.proc, 'pressure/cpu');
  try {
    readFileSync(path);
    return { available: true };
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : '';
    if (code === 'EACCES' || code === 'EPERM') {
      return { available: false, reason: `${path} may not be read` };
    }
    const config = readKernelConfig(roots, release());
    if (code === 'EOPNOTSUPP' || code === 'ENOTSUP' || kernelOption(config, 'CONFIG_PSI') === 'y') {
      const reason = 'the kernel was built with PSI, and it is off';
      return { available: false, reason, remedy: TURN_ON };
    }
    if (config !== undefined) {
      const reason = 'the kernel was built without PSI';
      return { available: false, reason, remedy: 'Use a kernel built with CONFIG_PSI=y.' };
    }
    const remedy = `${TURN_ON} If that does not help, the kernel was built without CONFIG_PSI.`;
    return { available: false, reason: `${path} is not there`, remedy };
  }
}
