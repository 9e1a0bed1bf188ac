import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Roots, SandboxTarget } from './collector.ts';

const PROCESSES_BYTES_MAX = 64 * 1024;

/**
 * Ids of the processes in the cgroup of a sandbox, as numbered where this process is; at most
 * 64 KiB of them. Empty if there are none or the cgroup is gone.
 */
export function readSandboxProcesses(target: SandboxTarget): string[] {
  if (target.cgroup.processes === undefined) return [];
  try {
    const text = readFileSync(join(target.cgroup.processes, 'cgroup.procs'), 'latin1');
    // A process of another pid namespace reads as 0.
    return text
      .slice(0, PROCESSES_BYTES_MAX)
      .split('\n')
      .filter((id) => id !== '' && id !== '0');
  } catch {
    return [];
  }
}

/** Why the processes of a sandbox can't be found. Undefined if they can. */
export function processesUnknown(target: SandboxTarget): string | undefined {
  if (target.cgroup.processes !== undefined) return undefined;
  const reason = target.cgroup.reason ?? 'there are no cgroups';
  return `the processes of the sandbox are not known: ${reason}`;
}

/**
 * The process of a sandbox in whose mount namespace a file is, which is how its monitor is found.
 * Undefined if there is none yet or any more.
 */
export function findProcessWithFile(
  target: SandboxTarget,
  roots: Roots,
  path: string,
): string | undefined {
  return readSandboxProcesses(target).find((id) => existsSync(join(roots.proc, id, 'root', path)));
}
