import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { SandboxCollector } from './collector.ts';
import { openFiles } from './file-source.ts';
import { missingController } from './missing-controller.ts';
import {
  PRESSURE_LIMIT,
  PRESSURE_REMEDY,
  PRESSURE_RESOURCES,
  pressurePart,
} from './pressure-file.ts';

/**
 * Time that tasks of a sandbox waited for processor, memory or I/O.
 * Source: the kernel's Documentation/admin-guide/cgroup-v2.rst.
 */
export const cgroupPressure: SandboxCollector = {
  source: 'cgroup-pressure',
  open({ cgroup }, roots) {
    if (cgroup.mode === 'v1') {
      return {
        unavailable: 'pressure of a control group is told on version 2 only; this is version 1',
        remedy: 'boot with systemd.unified_cgroup_hierarchy=1 on the kernel command line',
      };
    }
    // The files are in every group, whatever controllers it has.
    const folder = cgroup.processes ?? cgroup.cpuacct;
    if (cgroup.mode === 'none' || folder === undefined) return missingController(cgroup, 'cpu');
    if (!existsSync(join(roots.proc, 'pressure'))) {
      return { unavailable: 'the kernel keeps no pressure figures', remedy: PRESSURE_REMEDY };
    }
    const parts = PRESSURE_RESOURCES.map((resource) =>
      pressurePart(
        join(folder, `${resource}.pressure`),
        'lockstep.sandbox.pressure.time',
        resource,
        ['some', 'full'],
      ),
    );
    return openFiles(parts, {
      limit: PRESSURE_LIMIT,
      mayComeLater: true,
      remedy: 'let the agent write 1 into cgroup.pressure of the group and those above it',
    });
  },
};
