import type { CgroupFolders, Unavailable } from './collector.ts';

/** A controller of control groups that has a source of its own. */
export type CountingController = 'cpu' | 'cpuacct' | 'memory' | 'io' | 'pids';

const REMEDIES: Record<CountingController, string> = {
  cpu: 'use a kernel with CONFIG_CGROUP_SCHED, and let the agent enable the cpu controller',
  cpuacct: 'use a kernel with CONFIG_CGROUP_CPUACCT',
  memory: 'put cgroup_enable=memory at the end of the kernel command line and start again',
  io: 'boot with version 2 (systemd.unified_cgroup_hierarchy=1) and enable the io controller',
  pids: 'use a kernel with CONFIG_CGROUP_PIDS, and let the agent enable the pids controller',
};

/** What is told where the folder of a controller is absent. */
export function missingController(
  cgroup: CgroupFolders,
  controller: CountingController,
): Unavailable {
  if (cgroup.mode === 'none') {
    return {
      unavailable: cgroup.reason ?? 'the sandbox has no control group',
      remedy: 'mount cgroup2 at /sys/fs/cgroup, and run the agent as root or delegate it a group',
    };
  }
  const reason = cgroup.reason === undefined ? '' : ` (${cgroup.reason})`;
  return {
    unavailable: `the sandbox has no ${controller} controller on ${cgroup.mode}${reason}`,
    remedy: REMEDIES[controller],
  };
}
