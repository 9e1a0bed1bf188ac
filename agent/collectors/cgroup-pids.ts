import { join } from 'node:path';
import type { SandboxCollector } from './collector.ts';
import { oneNumber, openFiles } from './file-source.ts';
import { missingController } from './missing-controller.ts';

/**
 * Processes and threads of a sandbox.
 * Source: the kernel's Documentation/admin-guide/cgroup-v2.rst and cgroup-v1/pids.rst.
 */
export const cgroupPids: SandboxCollector = {
  source: 'cgroup-pids',
  open({ cgroup }) {
    if (cgroup.pids === undefined) return missingController(cgroup, 'pids');
    const path = join(cgroup.pids, 'pids.current');
    const series = [{ metric: 'lockstep.sandbox.tasks' }] as const;
    return openFiles([{ path, series, parse: oneNumber() }], { mayComeLater: true });
  },
};
