import { readFileSync, readdirSync } from 'node:fs';

/**
 * Ids of the living processes of a session (what its leader started and did not leave it): the
 * stand-in for a cgroup where there is none. Source: proc_pid_stat(5).
 */
export function sessionProcessIds(sessionId: number): number[] {
  const ids: number[] = [];
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    try {
      const stat = parseStat(readFileSync(`/proc/${name}/stat`, 'utf8'));
      if (stat.sessionId === sessionId && stat.state !== 'Z') ids.push(Number(name));
    } catch {
      // It ended while the folder was read.
    }
  }
  return ids;
}

/** Reads state and session from the text of /proc/PID/stat. */
export function parseStat(text: string): { state: string; sessionId: number } {
  // The name in parentheses may have spaces and parentheses in it.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return { state: fields[0] ?? '', sessionId: Number(fields[3]) };
}
