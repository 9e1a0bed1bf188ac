import type { SampledMetric, SourceName } from '../../schemas/telemetry-names.ts';
import type { TextStore } from './text-store.ts';

/** Folders to read below, so that tests and containers can have their own. No slash at the end. */
export interface Roots {
  /** Default `/proc`. */
  readonly proc: string;
  /** Default `/sys`. */
  readonly sys: string;
  /** Default `/dev`. */
  readonly dev: string;
}

/** The folders of the machine itself. */
export const SYSTEM_ROOTS: Roots = { proc: '/proc', sys: '/sys', dev: '/dev' };

/** Where the cgroup of one sandbox is. */
export interface CgroupFolders {
  readonly mode: 'v1' | 'v2' | 'none';
  /** Folder per controller; on v2 all the same. Absent if the controller is not there. */
  readonly cpu?: string;
  readonly cpuacct?: string;
  readonly memory?: string;
  readonly io?: string;
  readonly pids?: string;
  /** Any folder with cgroup.procs of the sandbox. */
  readonly processes?: string;
  /** Why there are none, or which controllers are missing. */
  readonly reason?: string;
}

/** What can be sampled of a sandbox; known before it starts, when it has no process yet. */
export interface SandboxTarget {
  /** Number within the trial, from 0. */
  readonly index: number;
  readonly id: string;
  readonly cgroup: CgroupFolders;
  /** The interface of the sandbox, as seen in the network namespace of its processes. */
  readonly networkInterface?: string;
  /** For a virtual machine. Absent for other kinds. */
  readonly vmm?: VmmTarget;
}

/** The monitor of a virtual machine. */
export interface VmmTarget {
  readonly vcpus: number;
  /** Begins the name of the thread of each vCPU, with the number after it: `CPU 0/KVM`. */
  readonly vcpuThreadPrefix: string;
  /** QMP socket, in the mount namespace of the VMM. Absent if it has none. */
  readonly qmpSocket?: string;
  /** File of Firecracker's metrics, in the mount namespace of the VMM. Absent if it has none. */
  readonly metricsFile?: string;
  /** Why there are no counters of KVM. Absent if there may be some. */
  readonly kvmUnavailable?: string;
}

/** What tells a series from others of its source. */
export interface SeriesIdentity {
  readonly metric: SampledMetric;
  readonly attributes?: Readonly<Record<string, string>>;
}

/** Why a source can't be read here: told with every trial, never as a zero. */
export interface Unavailable {
  readonly unavailable: string;
  /** What would make it available, as a command or a sentence. */
  readonly remedy?: string;
}

/**
 * read: the row holds a value per series, NaN where one is not there. absent: there is nothing to
 * read yet, such as before the process has started. ended: there never will be again.
 */
export type ReadOutcome = 'read' | 'absent' | 'ended';

/** Above this rate a source only repeats itself, or reading it would disturb. */
export interface RateLimit {
  readonly hz: number;
  readonly reason: string;
}

/**
 * A reading in two halves: the kernel's texts are only kept when they are read, and what they say
 * is found out later, for many readings at once. Between two rounds all code leaves the caches of
 * the processor, so that parsing in each round takes several times as long.
 */
export interface DeferredReading {
  /**
   * Adds the texts of one reading to the store: TEXTS_PER_READING_MAX at most, and each time as
   * many. If the outcome is not `read`, there may be some of them, which mean nothing.
   */
  take(texts: TextStore): ReadOutcome;
  /**
   * Parses the texts of one reading, at which the store is. Readings are parsed in the order in
   * which they were taken.
   *
   * @returns false if there is nothing in them, as if there had been nothing to read.
   */
  parse(texts: TextStore, row: Float64Array): boolean;
}

/** A source that is read in the sampling loop, by descriptors that stay open. */
export interface FastSource {
  readonly pace: 'fast';
  readonly series: readonly SeriesIdentity[];
  readonly limit?: RateLimit;
  /**
   * Takes one reading. Allocates nothing that grows, forks nothing, never waits.
   *
   * @param row one place per series, in their order, in the unit of the metric
   */
  read(row: Float64Array): ReadOutcome;
  /** The same in two halves. Absent: it has to look into what it reads. */
  readonly deferred?: DeferredReading;
  close(): void;
}

/** A value of a source whose series are found out as it is read. */
export interface Reading extends SeriesIdentity {
  readonly value: number;
}

/** A source too slow for the sampling loop: read beside it, 10 times a second at most. */
export interface SlowSource {
  readonly pace: 'slow';
  readonly limit: RateLimit;
  /** Takes one reading. Every wait in it has a deadline. */
  read(): Promise<readonly Reading[] | 'absent' | 'ended'>;
  /** Resolves when nothing of it is left. */
  close(): Promise<void>;
}

/** What was found when a source was opened. */
export type OpenedSource = FastSource | SlowSource | Unavailable;

/** Reads one source of a sandbox. One file per source. Opening throws nothing. */
export interface SandboxCollector {
  readonly source: SourceName;
  open(target: SandboxTarget, roots: Roots): OpenedSource;
}

/** Reads one source of the device. One file per source. Opening throws nothing. */
export interface HostCollector {
  readonly source: SourceName;
  open(roots: Roots): OpenedSource;
}

/** What a sandbox's cgroup held after its last process had ended, read just before its removal. */
export interface FinalReading {
  readonly instance: number;
  readonly source: SourceName;
  /** CLOCK_MONOTONIC. */
  readonly atMonoNs: bigint;
  readonly readings: Reading[];
}
