import type { SandboxLimits } from '../../schemas/sandbox.ts';
import { CPU_PERIOD_USEC, PROCESSES_MAX } from './cgroup-layout.ts';
import { neutralEnvironment } from './command.ts';
import { DAEMON_FOLDER } from './daemon-process.ts';
import { runtimePath } from './daemon-runtime.ts';
import { OPEN_FILES_LIMIT } from './inheritance.ts';

/** Where the daemon listens, inside of its mount namespace. */
export const DOCKER_SOCKET = `${DAEMON_FOLDER}/api.sock`;

/** What differs between two containers of Docker. */
export interface DockerContainerOptions {
  readonly id: string;
  readonly image: string;
  /** Name of the runtime in the daemon's configuration. */
  readonly runtime: string;
  readonly command: readonly string[];
  readonly limits: SandboxLimits;
  /** True if the cgroups can limit memory and swap together. */
  readonly limitsSwap: boolean;
}

/**
 * The body of the request that creates a container, with the rights and limits of the bundle of
 * runc's driver. Its network is named as the daemon's own, which the runtime replaces by the
 * slot's: this way the daemon makes no network of its own. Source: Docker Engine API 1.41.
 */
export function dockerContainer(options: DockerContainerOptions): Record<string, unknown> {
  const memoryBytes = options.limits.memoryMib * 1024 * 1024;
  return {
    Image: options.image,
    Hostname: options.id,
    Entrypoint: options.command.slice(0, 1),
    Cmd: options.command.slice(1),
    Env: Object.entries(neutralEnvironment).map(([name, value]) => `${name}=${value}`),
    User: '0:0',
    WorkingDir: '/',
    AttachStdout: true,
    AttachStderr: true,
    HostConfig: {
      Runtime: options.runtime,
      NetworkMode: 'host',
      IpcMode: 'private',
      LogConfig: { Type: 'none' },
      ReadonlyRootfs: true,
      Tmpfs: { '/tmp': 'rw,exec,nosuid,nodev,mode=1777' },
      CapDrop: ['ALL'],
      SecurityOpt: ['no-new-privileges'],
      OomScoreAdj: 0,
      Ulimits: [{ Name: 'nofile', Soft: OPEN_FILES_LIMIT.soft, Hard: OPEN_FILES_LIMIT.hard }],
      Memory: memoryBytes,
      ...(options.limitsSwap ? { MemorySwap: memoryBytes } : {}),
      CpuPeriod: CPU_PERIOD_USEC,
      CpuQuota: Math.round(options.limits.cpus * CPU_PERIOD_USEC),
      PidsLimit: PROCESSES_MAX,
    },
  };
}

/** The name that the daemon knows a runtime by; runc's own is taken by the daemon itself. */
export function dockerRuntimeName(name: string): string {
  return `lockstep-${name}`;
}

/**
 * The daemon's configuration: no network of its own, no rule of a firewall, no port, nothing
 * outside of /run. Source: dockerd(8).
 */
export function dockerdConfig(runtimes: readonly string[]): string {
  return JSON.stringify({
    'data-root': `${DAEMON_FOLDER}/data`,
    'exec-root': `${DAEMON_FOLDER}/exec`,
    pidfile: `${DAEMON_FOLDER}/dockerd.pid`,
    hosts: [`unix://${DOCKER_SOCKET}`],
    bridge: 'none',
    iptables: false,
    ip6tables: false,
    'ip-forward': false,
    'ip-masq': false,
    'userland-proxy': false,
    'exec-opts': ['native.cgroupdriver=cgroupfs'],
    'log-driver': 'none',
    'log-level': 'warn',
    runtimes: Object.fromEntries(
      runtimes.map((name) => [dockerRuntimeName(name), { path: runtimePath(name) }]),
    ),
  });
}
