import { existsSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { LockstepError } from '../../schemas/errors.ts';
import { parseCgroupLayout } from './cgroup-layout.ts';
import { HOST_NETWORK_NAMESPACE_VARIABLE, assertOwnNetwork } from './network.ts';

/** Exit code of a wrapper that did not start its runtime. */
export const REFUSED_EXIT_CODE = 94;

const PRIVATE_MOUNTS = ['unshare', '--mount', '--propagation', 'private', '--'] as const;

// In a user namespace the mount is locked and can't be detached; then it is covered.
const WITHOUT_UNIFIED_SCRIPT = `
umount -l "$1" 2>/dev/null || mount -t tmpfs lockstep "$1" || exit ${REFUSED_EXIT_CODE}
shift
exec "$@"
`;

/**
 * The words to put before crun's command, so that it sees no version 2 hierarchy beside those of
 * version 1; empty if it needs none. crun up to 1.8 refuses such a system if the version 2
 * hierarchy has a controller. The mount goes in a mount namespace that only crun has.
 *
 * @param mountinfo the text of /proc/self/mountinfo; read if absent.
 */
export function crunWrapper(mountinfo = readFileSync('/proc/self/mountinfo', 'utf8')): string[] {
  const unified = unifiedBesideV1(mountinfo);
  if (unified === undefined || !hasControllers(unified)) return [];
  return [...PRIVATE_MOUNTS, ...shell(WITHOUT_UNIFIED_SCRIPT), unified];
}

/** Mount point of a version 2 hierarchy beside those of version 1; undefined if there is none. */
export function unifiedBesideV1(mountinfo: string): string | undefined {
  if (parseCgroupLayout(mountinfo, '').version !== 1) return undefined;
  const line = mountinfo.split('\n').find((one) => one.includes(' - cgroup2 '));
  return line === undefined ? undefined : parseCgroupLayout(line, '').unified;
}

function hasControllers(unified: string): boolean {
  try {
    return readFileSync(join(unified, 'cgroup.controllers'), 'utf8').trim() !== '';
  } catch {
    return false;
  }
}

/** The file by which runsc tells the first network namespace from others. */
const FIRST_NAMESPACE_FILE = '/proc/sys/net/core/rmem_default';

// Which network namespace it is in is looked at where it counts: in the process that becomes runsc.
const NETSTACK_SCRIPT = `
own=$(readlink /proc/self/ns/net)
slot=$(stat -L -c 'net:[%i]' "$1")
if [ -z "$own" ] || [ -z "$2" ] || [ -z "$3" ] || [ "$own" != "$slot" ] ||
  [ "$own" = "$2" ] || [ "$own" = "$3" ]; then
  echo "runsc is not started with its network stack in $own, which is no slot's own" >&2
  exit ${REFUSED_EXIT_CODE}
fi
shift 3
[ -e ${FIRST_NAMESPACE_FILE} ] || exec "$@"
exec ${PRIVATE_MOUNTS.join(' ')} /bin/sh -c \\
  'mount -t tmpfs lockstep /proc/sys/net && exec "$@"' lockstep "$@"
`;

/**
 * True if runsc takes every network namespace for the device's own: it knows that one by a file
 * that kernels from 6.18 on have in all of them. Then it starts only where the file is hidden.
 * Must be called in a network namespace that is not the device's.
 */
export function hidesSysctls(): boolean {
  return existsSync(FIRST_NAMESPACE_FILE);
}

/**
 * The words to put before a runsc command that has a network stack of its own. That stack takes
 * the addresses off all interfaces of the network namespace that runsc stands in, so the wrapper
 * starts nothing unless that is the slot's, and neither the device's nor that of this process.
 *
 * @param netnsPath file of the slot's network namespace.
 * @throws LockstepError SANDBOX_UNAVAILABLE if this process stands in the device's own, if that
 * can't be told, or if the slot has none of its own.
 */
export function netstackWrapper(netnsPath: string | undefined): string[] {
  assertOwnNetwork();
  const device = process.env[HOST_NETWORK_NAMESPACE_VARIABLE];
  if (netnsPath === undefined || device === undefined) {
    throw new LockstepError(
      'SANDBOX_UNAVAILABLE',
      'runsc is not started with its network stack outside of a network namespace of its own',
    );
  }
  return [...shell(NETSTACK_SCRIPT), netnsPath, device, readlinkSync('/proc/self/ns/net')];
}

function shell(script: string): string[] {
  return ['/bin/sh', '-c', script, 'lockstep'];
}
