import { readFileSync, readlinkSync } from 'node:fs';

/**
 * Name of this machine's CLOCK_MONOTONIC as fleet time: the boot id and the time namespace,
 * because processes of one boot in different time namespaces read different clocks
 * (time_namespaces(7)).
 */
export function fleetTimeName(): string {
  return `${readBootId()}/${readTimeNamespace()}`;
}

/** The kernel's boot id. Empty if it can't be read. */
function readBootId(): string {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  } catch {
    return '';
  }
}

/** The inode of this process's time namespace, e.g. `time:[4026531834]`. */
function readTimeNamespace(): string {
  try {
    return readlinkSync('/proc/self/ns/time');
  } catch {
    return 'time:[none]';
  }
}
