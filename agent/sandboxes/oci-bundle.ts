import type { SandboxLimits } from '../../schemas/sandbox.ts';
import { CPU_PERIOD_USEC, PROCESSES_MAX } from './cgroup-layout.ts';
import { neutralEnvironment } from './command.ts';
import { OPEN_FILES_LIMIT } from './inheritance.ts';

/** What differs between two OCI bundles. */
export interface BundleOptions {
  readonly id: string;
  /** Folder with the root file system, which is used read-only. */
  readonly rootFolder: string;
  readonly command: readonly string[];
  readonly limits: SandboxLimits;
  /** File of the network namespace to name. Absent: that of the runtime's command is kept. */
  readonly netnsPath?: string;
  /** Absent if there are no cgroups; then there are no limits either. */
  readonly cgroupsPath?: string;
  /** True if the cgroups can limit memory and swap together. */
  readonly limitsSwap: boolean;
}

/**
 * The config.json of a bundle, the same for every OCI runtime. The runtime's command stands in the
 * slot's network namespace already, and the container stays there without being told.
 * Source: OCI Runtime Specification 1.0.2.
 */
export function ociConfig(options: BundleOptions): Record<string, unknown> {
  return {
    ociVersion: '1.0.2',
    hostname: options.id,
    root: { path: options.rootFolder, readonly: true },
    process: {
      terminal: false,
      user: { uid: 0, gid: 0 },
      cwd: '/',
      args: options.command,
      env: Object.entries(neutralEnvironment).map(([name, value]) => `${name}=${value}`),
      capabilities: { bounding: [], effective: [], inheritable: [], permitted: [], ambient: [] },
      noNewPrivileges: true,
      oomScoreAdj: 0,
      rlimits: [{ type: 'RLIMIT_NOFILE', ...OPEN_FILES_LIMIT }],
    },
    mounts: [
      mount('/proc', 'proc', ['nosuid', 'noexec', 'nodev']),
      mount('/dev', 'tmpfs', ['nosuid', 'strictatime', 'mode=755', 'size=65536k']),
      mount('/dev/pts', 'devpts', ['nosuid', 'noexec', 'newinstance', 'ptmxmode=0666']),
      mount('/dev/shm', 'tmpfs', ['nosuid', 'noexec', 'nodev', 'mode=1777', 'size=65536k']),
      mount('/sys', 'sysfs', ['nosuid', 'noexec', 'nodev', 'ro']),
      mount('/tmp', 'tmpfs', ['nosuid', 'nodev', 'mode=1777']),
    ],
    linux: {
      namespaces: [
        ...['pid', 'ipc', 'uts', 'mount'].map((type) => ({ type })),
        ...(options.netnsPath === undefined ? [] : [{ type: 'network', path: options.netnsPath }]),
      ],
      ...cgroupSection(options),
    },
  };
}

function mount(destination: string, type: string, options: string[]): Record<string, unknown> {
  return { destination, type, source: type, options };
}

function cgroupSection(options: BundleOptions): Record<string, unknown> {
  if (options.cgroupsPath === undefined) return {};
  const memoryBytes = options.limits.memoryMib * 1024 * 1024;
  return {
    cgroupsPath: options.cgroupsPath,
    resources: {
      devices: [{ allow: false, access: 'rwm' }],
      memory: { limit: memoryBytes, ...(options.limitsSwap ? { swap: memoryBytes } : {}) },
      cpu: {
        quota: Math.round(options.limits.cpus * CPU_PERIOD_USEC),
        period: CPU_PERIOD_USEC,
      },
      pids: { limit: PROCESSES_MAX },
    },
  };
}
