import { readlinkSync } from 'node:fs';
import { readIfThere } from './machine.mjs';

/** What tells a process from a later one with the same number. */
export function describeProcess(pid) {
  const stat = readIfThere(`/proc/${pid}/stat`);
  // The name, in brackets, may hold spaces; the start time is the 20th field after it.
  const fields = stat?.slice(stat.lastIndexOf(')') + 2).split(' ');
  return {
    pid,
    startTicks: fields?.[19] ?? '',
    bootId: readIfThere('/proc/sys/kernel/random/boot_id')?.trim() ?? '',
    pidNamespace: readNamespace(),
  };
}

/** Whether the process that took a lock still runs. One of another container counts as alive. */
export function isAlive(owner) {
  const now = describeProcess(owner.pid);
  if (owner.bootId !== now.bootId) return false;
  if (owner.pidNamespace !== now.pidNamespace) return true;
  return now.startTicks !== '' && owner.startTicks === now.startTicks;
}

function readNamespace() {
  try {
    return readlinkSync('/proc/self/ns/pid');
  } catch {
    return '';
  }
}
