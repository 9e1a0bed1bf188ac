import { errorMessageOf } from '../../schemas/errors.ts';
import { runCommand } from '../sandboxes/command.ts';
import { readSchedulingClass } from './scheduling-class.ts';

/** Priority of the measuring process: above ordinary processes, below the kernel's own threads. */
const PRIORITY = '10';

const TRY_TIMEOUT_MS = 5000;

/** Characters of the reason that are kept. */
const REASON_MAX = 300;

/** Whether a measuring process may be real-time, and how. */
export interface RealTime {
  /** Words to put before its command; empty if it may not. */
  readonly words: readonly string[];
  /** The class that it then has. */
  readonly schedulingClass: string;
  /** Why it may not. Absent if it may. */
  readonly reason?: string;
}

/**
 * Finds out by doing whether a process in the runner's namespaces may be SCHED_FIFO. With
 * reset-on-fork (sched(7)) its threads and children are in the ordinary class from their first
 * instruction, so nothing of it reaches a sandbox, and a new v1 cpu cgroup takes them where the
 * kernel has RT_GROUP_SCHED.
 *
 * @param isolate how the runner's command is put into its namespaces.
 */
export async function detectRealTime(
  isolate: (command: readonly string[]) => readonly string[],
): Promise<RealTime> {
  const words = ['chrt', '--reset-on-fork', '--fifo', PRIORITY];
  try {
    await runCommand([...isolate([...words, 'true'])], { timeoutMs: TRY_TIMEOUT_MS });
    return { words, schedulingClass: `SCHED_FIFO ${PRIORITY}` };
  } catch (error) {
    return {
      words: [],
      schedulingClass: readSchedulingClass(),
      reason:
        `no real-time scheduling: ${saidBy('chrt', errorMessageOf(error))}` +
        '; run the agent as root, or give it CAP_SYS_NICE outside of user namespaces',
    };
  }
}

// The message of a failed command begins with all of its words, which tell nothing here.
function saidBy(program: string, message: string): string {
  const begin = message.lastIndexOf(`${program}: `);
  return begin === -1 ? message.slice(-REASON_MAX) : message.slice(begin).slice(0, REASON_MAX);
}
