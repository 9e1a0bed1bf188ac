import { readFileSync, readdirSync } from 'node:fs';

/** What a thread has from the process that started it. */
export interface Inherited {
  readonly name: string;
  /** Scheduling policy; 0 is the ordinary one. */
  readonly policy: number;
  /** Real-time priority. */
  readonly priority: number;
  readonly nice: number;
  readonly cpus: string;
  readonly oomScoreAdj: number;
  readonly timerSlackNs: number;
  /** Hard limit. Programs raise the soft one themselves. */
  readonly openFilesMax: number;
}

/** Reads it for all threads of a process; source: proc_pid_stat(5), proc_pid_status(5). */
export function inheritedOf(processId: number): Inherited[] {
  const folder = `/proc/${processId}`;
  const read = (name: string): string => readFileSync(`${folder}/${name}`, 'utf8');
  return readdirSync(`${folder}/task`).map((thread) => {
    const stat = read(`task/${thread}/stat`);
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const status = read(`task/${thread}/status`);
    const ofStatus = (name: string): string =>
      new RegExp(`^${name}:\\s*(.*)$`, 'm').exec(status)?.[1] ?? '';
    return {
      name: ofStatus('Name'),
      nice: Number(fields[16]),
      priority: Number(fields[37]),
      policy: Number(fields[38]),
      cpus: ofStatus('Cpus_allowed_list'),
      oomScoreAdj: Number(read('oom_score_adj')),
      timerSlackNs: Number(readFileSync(`/proc/${thread}/timerslack_ns`, 'utf8')),
      openFilesMax: Number(/^Max open files\s+\S+\s+(\d+)/m.exec(read('limits'))?.[1]),
    };
  });
}
