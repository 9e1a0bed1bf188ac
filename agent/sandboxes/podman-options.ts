import type { SandboxLimits } from '../../schemas/sandbox.ts';
import { CPU_PERIOD_USEC, PROCESSES_MAX } from './cgroup-layout.ts';
import { neutralEnvironment } from './command.ts';
import type { DaemonFile } from './daemon-process.ts';

/** What differs between two containers that `podman run` makes. */
export interface PodmanRunOptions {
  readonly id: string;
  /** File of the network namespace to join. */
  readonly network: string;
  readonly limits: SandboxLimits;
  /** True if the cgroups can limit memory and swap together. */
  readonly limitsSwap: boolean;
  /** Path of the runtime. */
  readonly runtime: string;
  /** File that the container's id is written to. */
  readonly idFile: string;
}

/**
 * The words of `podman run` up to the image, with the rights and limits of the bundle of runc's
 * driver; the runtime adds the limit of open files. The command's output is the container's, and it
 * ends when the container runs.
 */
export function podmanRun(options: PodmanRunOptions): string[] {
  const { id, idFile, limits, limitsSwap, network, runtime } = options;
  const memory = `${limits.memoryMib * 1024 * 1024}b`;
  return [
    ...['podman', '--runtime', runtime, 'run', '--detach', '--name', id, '--hostname', id],
    ...['--cidfile', idFile, '--pull', 'never', '--log-driver', 'passthrough'],
    ...['--network', `ns:${network}`, '--no-hosts', '--http-proxy=false'],
    // The one that watches the container is not a part of it.
    ...['--cgroups', 'no-conmon', '--sdnotify', 'ignore', '--systemd', 'false'],
    ...['--read-only', '--read-only-tmpfs=false'],
    ...['--tmpfs', '/tmp:rw,exec,nosuid,nodev,mode=1777,notmpcopyup'],
    ...['--cap-drop', 'all', '--security-opt', 'no-new-privileges', '--user', '0:0'],
    ...['--oom-score-adj', '0', '--workdir', '/'],
    ...Object.entries(neutralEnvironment).flatMap(([name, value]) => ['--env', `${name}=${value}`]),
    ...['--memory', memory, ...(limitsSwap ? ['--memory-swap', memory] : [])],
    ...['--cpu-period', String(CPU_PERIOD_USEC)],
    ...['--cpu-quota', String(Math.round(limits.cpus * CPU_PERIOD_USEC))],
    ...['--pids-limit', String(PROCESSES_MAX)],
  ];
}

/**
 * The configuration of podman, at the paths where it looks for it: everything in the folder, and
 * no limits and settings that only this machine has. Source: containers.conf(5),
 * containers-storage.conf(5).
 */
export function podmanFiles(folder: string): DaemonFile[] {
  const engine = [
    '[containers]',
    'default_sysctls = []',
    '[engine]',
    'cgroup_manager = "cgroupfs"',
    'events_logger = "none"',
    'lock_type = "file"',
    `static_dir = "${folder}/static"`,
    `volume_path = "${folder}/volumes"`,
    `tmp_dir = "${folder}/tmp"`,
    `image_copy_tmp_dir = "${folder}"`,
    '[network]',
    `network_config_dir = "${folder}/networks"`,
  ];
  const storage = [
    '[storage]',
    'driver = "overlay"',
    `graphroot = "${folder}/graph"`,
    `runroot = "${folder}/run"`,
  ];
  return [
    { path: '/etc/containers/containers.conf', text: `${engine.join('\n')}\n` },
    { path: '/etc/containers/storage.conf', text: `${storage.join('\n')}\n` },
  ];
}
