import { readFileSync, readdirSync, readlinkSync, statSync } from 'node:fs';

/** By what the processes of a sandbox are known where there is no cgroup. */
export interface SandboxMark {
  /** Session of the command at the gate. */
  readonly sessionId: number;
  /** File of the network namespace that only this sandbox has. Absent for a tap. */
  readonly netnsPath?: string;
}

/**
 * Ids of the living processes of a sandbox without a cgroup: those in its session, and those in its
 * network namespace, where also those are that left the session. Source: proc_pid_stat(5),
 * namespaces(7).
 */
export function findSandboxProcesses(mark: SandboxMark): number[] {
  const file =
    mark.netnsPath === undefined ? undefined : statSync(mark.netnsPath, { throwIfNoEntry: false });
  const namespace = file === undefined ? undefined : `net:[${file.ino}]`;
  const ids: number[] = [];
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    try {
      const { sessionId, state } = parseStat(readFileSync(`/proc/${name}/stat`, 'utf8'));
      if (state === 'Z') continue;
      if (sessionId === mark.sessionId || readNamespace(name) === namespace) ids.push(Number(name));
    } catch {
      // It ended while the folder was read.
    }
  }
  return ids;
}

// A text, also where it may not be read: it must not equal the missing namespace of a tap.
function readNamespace(processId: string): string {
  try {
    return readlinkSync(`/proc/${processId}/ns/net`);
  } catch {
    return 'unknown';
  }
}

/** Reads state and session from the text of /proc/PID/stat. */
export function parseStat(text: string): { state: string; sessionId: number } {
  // The name in parentheses may have spaces and parentheses in it.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return { state: fields[0] ?? '', sessionId: Number(fields[3]) };
}
