import { join } from 'node:path';
import type { HostCollector } from './collector.ts';
import { openFiles } from './file-source.ts';
import {
  PRESSURE_LIMIT,
  PRESSURE_REMEDY,
  PRESSURE_RESOURCES,
  pressurePart,
} from './pressure-file.ts';

/**
 * Time that tasks of the host waited for processor, memory or I/O. That all waited for a processor
 * can't be, so the kernel's constant 0 for it is no series. Source: the kernel's
 * Documentation/accounting/psi.rst.
 */
export const hostPressure: HostCollector = {
  source: 'host-pressure',
  open(roots) {
    const parts = PRESSURE_RESOURCES.map((resource) =>
      pressurePart(
        join(roots.proc, 'pressure', resource),
        'lockstep.host.pressure.time',
        resource,
        resource === 'cpu' ? ['some'] : ['some', 'full'],
      ),
    );
    return openFiles(parts, { limit: PRESSURE_LIMIT, remedy: PRESSURE_REMEDY });
  },
};
