import { readFileSync } from 'node:fs';

/**
 * Signals the processes that are the first of a pid namespace of their own: the functions of
 * containers whose runtime has no command for it. Who ended meanwhile is passed over.
 *
 * @param ids processes to look among, by their ids in this process's pid namespace.
 */
export function signalFirstProcess(ids: readonly number[], signal: NodeJS.Signals): void {
  for (const id of ids) {
    try {
      if (isFirst(readFileSync(`/proc/${id}/status`, 'utf8'))) process.kill(id, signal);
    } catch {
      // It ended in between.
    }
  }
}

/** Reads it from the text of /proc/PID/status; source: proc_pid_status(5), `NSpid`. */
export function isFirst(status: string): boolean {
  return /^NSpid:(?:\s+\d+)+\s+1$/m.test(status);
}
