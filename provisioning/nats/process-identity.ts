import { readFile } from 'node:fs/promises';
import { z } from 'zod';

/** A process, told apart from a later one with the same number. */
export const ProcessIdentity = z.object({
  pid: z.int().min(1),
  /** Start time, clock ticks since boot. */
  startTicks: z.string().regex(/^\d+$/),
  bootId: z.string(),
});
export type ProcessIdentity = z.output<typeof ProcessIdentity>;

const START_TIME_FIELD = 22;

/** The identity of a process that runs. Absent (undefined) if there is none, or only a zombie. */
export async function identityOf(pid: number): Promise<ProcessIdentity | undefined> {
  try {
    const text = await readFile(`/proc/${pid}/stat`, 'utf8');
    // The name, in parentheses, may hold anything; fields are counted from 1, the state is 3.
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
    const startTicks = fields[START_TIME_FIELD - 3];
    if (startTicks === undefined || fields[0] === 'Z' || fields[0] === 'X') return undefined;
    const bootId = (await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim();
    return { pid, startTicks, bootId };
  } catch {
    return undefined;
  }
}

/** Whether that very process still runs. */
export async function isRunning(identity: ProcessIdentity): Promise<boolean> {
  const now = await identityOf(identity.pid);
  return now?.startTicks === identity.startTicks && now.bootId === identity.bootId;
}
