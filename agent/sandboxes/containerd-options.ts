import type { SandboxLimits } from '../../schemas/sandbox.ts';
import { CPU_PERIOD_USEC } from './cgroup-layout.ts';
import { neutralEnvironment } from './command.ts';

/** What differs between two containers that `ctr run` makes. */
export interface CtrRunOptions {
  readonly id: string;
  readonly cgroupsPath: string;
  /** File of the network namespace to join. */
  readonly network: string;
  readonly limits: SandboxLimits;
  /** Path of the runtime, as the daemon sees it. */
  readonly runtime: string;
  /** A folder of this container's own for the pipes of its output. */
  readonly fifoFolder: string;
}

/**
 * The options of `ctr run`. What it has none for is written into the container's configuration by
 * the runtime.
 */
export function ctrRunOptions(options: CtrRunOptions): string[] {
  const { cgroupsPath, fifoFolder, limits, network, runtime } = options;
  return [
    '--rm',
    ...['--runc-binary', runtime],
    ...['--fifo-dir', fifoFolder],
    ...['--cgroup', cgroupsPath],
    ...['--with-ns', `network:${network}`],
    '--read-only',
    ...['--mount', 'type=tmpfs,src=tmpfs,dst=/tmp,options=nosuid:nodev:mode=1777'],
    ...Object.entries(neutralEnvironment).flatMap(([name, value]) => ['--env', `${name}=${value}`]),
    ...['--memory-limit', String(limits.memoryMib * 1024 * 1024)],
    ...['--cpu-period', String(CPU_PERIOD_USEC)],
    ...['--cpu-quota', String(Math.round(limits.cpus * CPU_PERIOD_USEC))],
  ];
}

/**
 * The configuration of containerd: no port, no part for Kubernetes, nothing outside of the folder.
 * Source: containerd-config.toml(5).
 */
export function containerdConfig(folder: string, socket: string): string {
  return [
    'version = 2',
    `root = "${folder}/root"`,
    `state = "${folder}/state"`,
    'disabled_plugins = ["io.containerd.grpc.v1.cri"]',
    '[grpc]',
    `address = "${socket}"`,
    '[debug]',
    'level = "warn"',
    '[plugins."io.containerd.internal.v1.opt"]',
    `path = "${folder}/opt"`,
    '',
  ].join('\n');
}
