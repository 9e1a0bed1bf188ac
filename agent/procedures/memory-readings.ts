import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { LockstepError } from '../../schemas/errors.ts';

const BYTES_PER_KIB = 1024;

/** Memory that the host has available, bytes. Source: proc_meminfo(5), MemAvailable. */
export function readMemoryAvailableBytes(): number {
  return parseKib(readFileSync('/proc/meminfo', 'utf8'), 'MemAvailable');
}

/**
 * Proportional set size of processes together, bytes: a page that several processes share counts in
 * parts. Who ends meanwhile counts nothing. Source: proc_pid_smaps_rollup(5).
 *
 * @throws LockstepError PERMISSION_MISSING if one may not be read.
 */
export async function readPssBytes(processIds: readonly number[]): Promise<number> {
  let sum = 0;
  for (const id of processIds) {
    const text = await readRollup(id);
    if (text !== undefined) sum += parseKib(text, 'Pss');
  }
  return sum;
}

async function readRollup(processId: number): Promise<string | undefined> {
  try {
    return await readFile(`/proc/${processId}/smaps_rollup`, 'utf8');
  } catch (cause) {
    const { code = 'unknown' } = cause as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ESRCH') return undefined;
    throw new LockstepError('PERMISSION_MISSING', `smaps_rollup of process ${processId}: ${code}`, {
      cause,
      hint: 'run the agent as root',
    });
  }
}

/**
 * Reads a line such as `Pss:  123 kB`, as bytes.
 *
 * @throws Error if there is none.
 */
export function parseKib(text: string, key: string): number {
  const value = new RegExp(`^${key}:\\s+(\\d+) kB$`, 'm').exec(text)?.[1];
  if (value === undefined) throw new Error(`there is no line of ${key}`);
  return Number(value) * BYTES_PER_KIB;
}
