import { readFileSync, readlinkSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Cgroups } from '../sandboxes/cgroup.ts';
import { LocalArtefacts } from './local-artefacts.ts';

/** Where sandboxes are tried: folders and cgroups of one process, and what it tries them with. */
export interface Place {
  /** Folder over which each process with namespaces of its own gets a private tmpfs. */
  readonly scratchFolder: string;
  readonly cgroupName: string;
  readonly artefacts: LocalArtefacts;
}

const PREFIX = 'lockstep-';
const NAME = /^lockstep-(selftest-(\d+)-(\d+)-(\d+))-/;

/** Uses a place, and removes it with all that is left there. Returns what `use` returns. */
export async function withPlace<T>(
  cacheFolder: string,
  use: (place: Place) => Promise<T>,
): Promise<T> {
  const cgroupName = `selftest-${pidNamespace()}-${process.pid}-${startOf(process.pid) ?? 0}`;
  const folder = await mkdtemp(join(tmpdir(), `${PREFIX}${cgroupName}-`));
  const scratchFolder = join(folder, 'scratch');
  await mkdir(scratchFolder);
  try {
    const artefacts = new LocalArtefacts(cacheFolder, join(folder, 'cache'));
    return await use({ scratchFolder, cgroupName, artefacts });
  } finally {
    await removeCgroups(cgroupName);
    await rm(folder, { recursive: true, force: true });
  }
}

/** Ends and removes all sandboxes of a place. Returns what could not be removed. */
export async function removeCgroups(cgroupName: string): Promise<string[]> {
  return (await Cgroups.open({ cgroupName })).removeAll();
}

/**
 * Removes the places of processes that were killed. Which process it was stands in the name: its
 * pid namespace, its id there, and when it began.
 */
export async function removeAbandonedPlaces(): Promise<void> {
  const namespace = pidNamespace();
  for (const entry of await readdir(tmpdir())) {
    const [, cgroupName = '', ofNamespace, id, start] = NAME.exec(entry) ?? [];
    if (ofNamespace !== namespace || startOf(Number(id)) === start) continue;
    await removeCgroups(cgroupName);
    // One of another user stays.
    await rm(join(tmpdir(), entry), { recursive: true, force: true }).catch(() => undefined);
  }
}

function pidNamespace(): string {
  return /\d+/.exec(readlinkSync('/proc/self/ns/pid'))?.[0] ?? '0';
}

/** When a process began, ticks since the boot; undefined if there is none. See proc_pid_stat(5). */
function startOf(id: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${id}/stat`, 'latin1');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
  } catch {
    return undefined;
  }
}
