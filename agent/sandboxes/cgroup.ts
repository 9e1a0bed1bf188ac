import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { access, constants, mkdir, readFile, rmdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { LockstepError, errorMessageOf } from '../../schemas/errors.ts';
import type { SandboxUsage } from '../../schemas/result.ts';
import type { SandboxLimits } from '../../schemas/sandbox.ts';
import type { CgroupFolders } from '../collectors/collector.ts';
import { cgroupPath, parseCgroupLayout, planLimits } from './cgroup-layout.ts';
import type { CgroupLayout, Controller } from './cgroup-layout.ts';

/** Where {@link Cgroups} looks; the texts are read from /proc if absent. */
export interface CgroupsOptions {
  readonly cgroupName: string;
  readonly mountinfo?: string;
  readonly selfCgroup?: string;
}

const END_TIMEOUT_MS = 5_000;
const RETRY_MS = 2;

/**
 * The cgroups of one agent: `lockstep/<name>/<sandbox>` in each hierarchy. Works the same
 * inside and outside of the runner's namespaces. Where cgroups can't be made, `mode` is `none`,
 * `reason` says why, and everything else does nothing.
 */
export class Cgroups {
  readonly mode: 'v1' | 'v2' | 'none';
  /** Why there are none, or which controllers are missing. Absent if all is there. */
  readonly reason: string | undefined;
  /** True if memory and swap can be limited together. */
  readonly limitsSwap: boolean;
  readonly #cgroupName: string;
  readonly #mounts: readonly string[];
  // The folder of each controller below which the agent's tree stands.
  readonly #bases: ReadonlyMap<Controller, string>;

  private constructor(
    cgroupName: string,
    mounts: readonly string[],
    found: { mode: Cgroups['mode']; bases: ReadonlyMap<Controller, string>; reason?: string },
  ) {
    this.#cgroupName = cgroupName;
    this.#mounts = mounts;
    this.#bases = found.bases;
    this.mode = found.mode;
    this.reason = found.reason;
    const file = found.mode === 'v1' ? 'memory.memsw.limit_in_bytes' : 'memory.swap.max';
    const memory = found.bases.get('memory');
    this.limitsSwap =
      memory !== undefined && existsSync(join(memory, cgroupPath(cgroupName), file));
  }

  /** Finds the hierarchies and makes the agent's own folder in them. Never fails. */
  static async open(options: CgroupsOptions): Promise<Cgroups> {
    const mountinfo = options.mountinfo ?? (await readFile('/proc/self/mountinfo', 'utf8'));
    const selfCgroup = options.selfCgroup ?? (await readFile('/proc/self/cgroup', 'utf8'));
    const layout = parseCgroupLayout(mountinfo, selfCgroup);
    const { cgroupName } = options;
    if (layout.version === 0) {
      const reason = 'no cgroup file system is mounted';
      return new Cgroups(cgroupName, [], { mode: 'none', bases: new Map(), reason });
    }
    try {
      const found =
        layout.version === 1 ? await openV1(layout, cgroupName) : await openV2(layout, cgroupName);
      const mounts =
        found.mode === 'v2'
          ? [...new Set([...found.bases.values(), ...layout.mounts])]
          : layout.mounts;
      return new Cgroups(cgroupName, mounts, found);
    } catch (error) {
      const reason = `cgroups can't be made: ${errorMessageOf(error)}`;
      return new Cgroups(cgroupName, [], { mode: 'none', bases: new Map(), reason });
    }
  }

  /**
   * Makes the cgroup of a sandbox with its limits.
   *
   * @throws LockstepError SANDBOX_FAILED if the kernel refuses a limit.
   */
  async create(id: string, limits: SandboxLimits): Promise<void> {
    if (this.mode === 'none') return;
    for (const folder of this.#folders(id)) await mkdir(folder, { recursive: true });
    for (const limit of planLimits(this.mode === 'v1' ? 1 : 2, limits)) {
      const base = this.#bases.get(limit.controller);
      if (base === undefined) continue;
      const file = join(base, cgroupPath(this.#cgroupName, id), limit.file);
      try {
        // Never creates a file: what the kernel does not have must not look as if it were set.
        await writeFile(file, limit.value, { flag: 'r+' });
      } catch (cause) {
        if (limit.optional) continue;
        throw new LockstepError('SANDBOX_FAILED', `${file} did not take ${limit.value}`, {
          cause,
          hint: 'check the limits of the experiment against the memory and processors here',
        });
      }
    }
  }

  /** The files that a process writes its id to in order to join; empty if there are no cgroups. */
  joinFiles(id: string): string[] {
    return this.#folders(id).map((folder) => join(folder, 'cgroup.procs'));
  }

  /** The path for the `cgroupsPath` of an OCI bundle; undefined if there are no cgroups. */
  ociPath(id: string): string | undefined {
    return this.mode === 'none' ? undefined : cgroupPath(this.#cgroupName, id);
  }

  /** Where the counters of a sandbox are, or will be once its runtime has made the folders. */
  foldersOf(id: string): CgroupFolders {
    const reason = this.reason === undefined ? {} : { reason: this.reason };
    const folders = [...this.#bases].map(([controller, base]) => [
      controller === 'blkio' ? 'io' : controller,
      join(base, cgroupPath(this.#cgroupName, id)),
    ]);
    const { freezer, ...counting } = Object.fromEntries(folders) as Record<string, string>;
    const processes = counting['cpu'] ?? counting['memory'] ?? freezer;
    return {
      mode: this.mode,
      ...counting,
      ...(processes === undefined ? {} : { processes }),
      ...reason,
    };
  }

  /** What a sandbox has used so far. */
  readUsage(id: string): SandboxUsage {
    if (this.mode === 'none') return { unavailable: this.reason ?? 'there are no cgroups' };
    const usage: SandboxUsage = {};
    const missing: string[] = [];
    const read = (controller: Controller, file: string): string | undefined => {
      const base = this.#bases.get(controller);
      try {
        if (base === undefined) throw new Error(`the ${controller} controller is off`);
        return readFileSync(join(base, cgroupPath(this.#cgroupName, id), file), 'utf8');
      } catch (error) {
        missing.push(`${file}: ${errorMessageOf(error)}`);
        return undefined;
      }
    };
    const v1 = this.mode === 'v1';
    const memory = read('memory', v1 ? 'memory.usage_in_bytes' : 'memory.current');
    const peak = read('memory', v1 ? 'memory.max_usage_in_bytes' : 'memory.peak');
    const cpu = v1 ? read('cpuacct', 'cpuacct.usage') : read('cpu', 'cpu.stat');
    if (memory !== undefined) usage.memoryBytes = Number(memory);
    if (peak !== undefined) usage.memoryPeakBytes = Number(peak);
    const cpuNs = cpu === undefined ? undefined : parseCpuNs(cpu);
    if (cpuNs !== undefined) usage.cpuNs = cpuNs;
    if (missing.length > 0) usage.unavailable = missing.join('; ').slice(0, 512);
    return usage;
  }

  /** Ids of all processes in a sandbox's cgroup and below, in this process's pid namespace. */
  processIds(id: string): number[] {
    return this.#processIdsBelow(cgroupPath(this.#cgroupName, id));
  }

  /** Kills every process of a sandbox and waits until they are gone. Returns who is not. */
  async killAll(id: string): Promise<number[]> {
    return this.#killBelow(cgroupPath(this.#cgroupName, id));
  }

  /** Removes an empty cgroup and what runtimes made below it. Returns what could not be removed. */
  async remove(id: string): Promise<string[]> {
    return this.#removeBelow(cgroupPath(this.#cgroupName, id));
  }

  /**
   * Ends and removes everything of this agent, also what an earlier process left. Returns what
   * could not be removed. Call {@link open} again before new sandboxes are made.
   */
  async removeAll(): Promise<string[]> {
    const path = cgroupPath(this.#cgroupName);
    const alive = await this.#killBelow(path);
    const leftovers = await this.#removeBelow(path);
    // The common parent goes with the last agent; another one may still be in it.
    for (const mount of this.#mounts) await rmdir(join(mount, '/lockstep')).catch(() => undefined);
    return [...alive.map((pid) => `process ${pid}`), ...leftovers];
  }

  #folders(id: string): string[] {
    const path = cgroupPath(this.#cgroupName, id);
    return [...new Set(this.#bases.values())].map((base) => join(base, path));
  }

  #processIdsBelow(path: string): number[] {
    const ids = new Set<number>();
    for (const mount of this.#mounts) {
      for (const folder of foldersBelow(join(mount, path))) {
        for (const line of readLines(join(folder, 'cgroup.procs'))) ids.add(Number(line));
      }
    }
    // A process of another pid namespace reads as 0.
    ids.delete(0);
    return [...ids];
  }

  async #killBelow(path: string): Promise<number[]> {
    const deadline = performance.now() + END_TIMEOUT_MS;
    for (let round = 0; ; round += 1) {
      const ids = this.#processIdsBelow(path);
      if (ids.length === 0 || performance.now() > deadline) return ids;
      // What forks faster than it is killed has to be stopped first.
      if (round > 2) await this.#freeze(path, true);
      for (const id of ids) killProcess(id);
      if (round > 2) await this.#freeze(path, false);
      await delay(RETRY_MS);
    }
  }

  async #freeze(path: string, frozen: boolean): Promise<void> {
    const base = this.#bases.get('freezer');
    if (base === undefined) return;
    const v1 = this.mode === 'v1';
    const file = join(base, path, v1 ? 'freezer.state' : 'cgroup.freeze');
    const value = v1 ? (frozen ? 'FROZEN' : 'THAWED') : frozen ? '1' : '0';
    await writeFile(file, value, { flag: 'r+' }).catch(() => undefined);
  }

  async #removeBelow(path: string): Promise<string[]> {
    const deadline = performance.now() + END_TIMEOUT_MS;
    const leftovers: string[] = [];
    for (const mount of this.#mounts) {
      for (const folder of foldersBelow(join(mount, path)).reverse()) {
        const reason = await removeFolder(folder, deadline);
        if (reason !== undefined) leftovers.push(`cgroup ${folder}: ${reason}`);
      }
    }
    return leftovers;
  }
}

async function openV1(
  layout: CgroupLayout,
  cgroupName: string,
): Promise<{ mode: 'v1'; bases: ReadonlyMap<Controller, string>; reason?: string }> {
  const bases = new Map(layout.controllers);
  for (const [controller, mount] of layout.controllers) {
    const folder = join(mount, cgroupPath(cgroupName));
    try {
      await mkdir(folder, { recursive: true });
      // Another user's agent may have made it.
      await access(folder, constants.W_OK);
    } catch (error) {
      // It only counts, and nothing is limited by it.
      if (controller !== 'blkio') throw error;
      bases.delete(controller);
    }
  }
  const missing = (['cpu', 'memory'] as const).filter((name) => !bases.has(name));
  return missing.length === 0
    ? { mode: 'v1', bases }
    : { mode: 'v1', bases, reason: `no ${missing.join(' and ')} controller` };
}

const V2_CONTROLLERS = ['cpu', 'memory', 'pids'] as const;
// Only counts: nothing is limited by it, and nothing is missing without it.
const V2_COUNTERS = ['io'] as const;

async function openV2(
  layout: CgroupLayout,
  cgroupName: string,
): Promise<{ mode: 'v2'; bases: ReadonlyMap<Controller, string>; reason?: string }> {
  const mount = layout.unified ?? '';
  let failure: unknown;
  for (const base of new Set([mount, join(mount, layout.ownPath ?? '/')])) {
    try {
      return await openV2Below(base, cgroupName);
    } catch (error) {
      failure ??= error;
    }
  }
  throw failure;
}

async function openV2Below(
  base: string,
  cgroupName: string,
): Promise<{ mode: 'v2'; bases: ReadonlyMap<Controller, string>; reason?: string }> {
  const own = join(base, cgroupPath(cgroupName));
  await mkdir(own, { recursive: true });
  const offered = (await readFile(join(base, 'cgroup.controllers'), 'utf8')).trim().split(' ');
  const wanted = [...V2_CONTROLLERS, ...V2_COUNTERS].filter((name) => offered.includes(name));
  for (const folder of [base, join(base, 'lockstep'), own]) {
    const words = wanted.map((name) => `+${name}`).join(' ');
    await writeFile(join(folder, 'cgroup.subtree_control'), words, { flag: 'r+' });
  }
  // CPU time is counted in every group of version 2, with or without the controller.
  const bases = new Map<Controller, string>([
    ['freezer', base],
    ['cpuacct', base],
  ]);
  for (const name of wanted) bases.set(name, base);
  const missing = V2_CONTROLLERS.filter((name) => !offered.includes(name));
  if (missing.length === 0) return { mode: 'v2', bases };
  const hint = missing.includes('memory') ? ' (kernel command line: cgroup_enable=memory)' : '';
  return { mode: 'v2', bases, reason: `no ${missing.join(' and ')} controller${hint}` };
}

function parseCpuNs(text: string): bigint | undefined {
  const usageUsec = /^usage_usec (\d+)$/m.exec(text)?.[1];
  if (usageUsec !== undefined) return BigInt(usageUsec) * 1000n;
  return /^\d+\s*$/.test(text) ? BigInt(text.trim()) : undefined;
}

/** A folder and all folders below it, parents first; empty if it does not exist. */
function foldersBelow(folder: string): string[] {
  try {
    const below = readdirSync(folder, { withFileTypes: true }).filter((one) => one.isDirectory());
    return [folder, ...below.flatMap((one) => foldersBelow(join(folder, one.name)))];
  } catch {
    return [];
  }
}

function readLines(file: string): string[] {
  try {
    return readFileSync(file, 'utf8').split('\n').filter(Boolean);
  } catch {
    return [];
  }
}

function killProcess(id: number): void {
  try {
    process.kill(id, 'SIGKILL');
  } catch {
    // It ended by itself in between.
  }
}

async function removeFolder(folder: string, deadline: number): Promise<string | undefined> {
  for (;;) {
    try {
      await rmdir(folder);
      return undefined;
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code;
      if (code === 'ENOENT') return undefined;
      if (code !== 'EBUSY' || performance.now() > deadline) return errorMessageOf(error);
    }
    await delay(RETRY_MS);
  }
}
