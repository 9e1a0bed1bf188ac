import { readFileSync } from 'node:fs';
import { formatCpuList, parseCpuList } from './cpu-list.ts';

/** Where a sampler runs. */
export interface Placement {
  /** Processors that it is put on; undefined: any that its agent may use. */
  readonly pinnedTo?: number;
  /** Says where, and why there, for people. */
  readonly reason: string;
}

/**
 * Chooses the processor of a sampler: the last of those that are not measured. With a single one,
 * or with none left, it is not put on any, so that the kernel can move it out of the way.
 *
 * @param usable processors that this process may use and that are there
 * @param measured processors that the measurements run on; absent: not known
 */
export function placeSampler(
  usable: readonly number[],
  measured: readonly number[] | undefined,
): Placement {
  if (usable.length < 2) return { reason: 'there is no second processor that it may use' };
  const left = usable.filter((cpu) => measured?.includes(cpu) !== true);
  const pinnedTo = left.at(-1);
  if (pinnedTo === undefined) {
    return { reason: `all processors that it may use, ${formatCpuList(usable)}, are measured` };
  }
  const reason = measured === undefined ? 'the last that it may use' : 'the last not measured';
  return { pinnedTo, reason: `processor ${pinnedTo}: ${reason}` };
}

/** Processors that this process may use and that are there; empty if that can't be read. */
export function usableCpus(): readonly number[] {
  const allowed = allowedCpus();
  try {
    const online = parseCpuList(readFileSync('/sys/devices/system/cpu/online', 'utf8'));
    return online === undefined ? allowed : allowed.filter((cpu) => online.includes(cpu));
  } catch {
    return allowed;
  }
}

/** The same as a list for people, without regard to what is there. */
export function allowedCpuList(): string {
  const allowed = allowedCpus();
  return allowed.length === 0 ? 'unknown' : formatCpuList(allowed);
}

function allowedCpus(): readonly number[] {
  try {
    const status = readFileSync('/proc/thread-self/status', 'utf8');
    const [, list = ''] = /^Cpus_allowed_list:\s*(\S+)$/m.exec(status) ?? [];
    return parseCpuList(list) ?? [];
  } catch {
    return [];
  }
}
