import { mkdtemp, rmdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Failure } from '../../schemas/failure.ts';
import { toFailure } from '../../schemas/failure.ts';
import { LockstepError } from '../../schemas/errors.ts';
import { runCommand } from '../sandboxes/command.ts';
import { HOST_NETWORK_NAMESPACE_VARIABLE } from '../sandboxes/network.ts';

/** As whom the namespaces are made: by root, or by any user inside a user namespace. */
export type IsolationMode = 'root' | 'user';

/** What {@link isolationCommand} is to start. */
export interface IsolationOptions {
  /** A folder that exists; inside, an empty private tmpfs is mounted on it. */
  readonly scratchFolder: string;
  /** The program to start in the namespaces, with its arguments. */
  readonly command: readonly string[];
  readonly mode: IsolationMode;
}

// Outside, before anything is unshared. In a user namespace this must run after the namespace was
// made, because that clears the parent-death signal.
const GUARD_SCRIPT = `
command -v setpriv >/dev/null && exec setpriv --pdeathsig KILL -- "$@"
exec "$@"
`;

const REMEMBER_SCRIPT = `
${HOST_NETWORK_NAMESPACE_VARIABLE}=$(readlink /proc/self/ns/net) || exit 95
export ${HOST_NETWORK_NAMESPACE_VARIABLE}
exec "$@"
`;

// Process 1 of the namespace. The command is a child of it, so that orphans have a parent that
// reaps them at once, and so that the end of the command ends everything. A shell gives jobs in
// the background /dev/null as standard input, hence the detour by descriptor 9.
const INIT_SCRIPT = `
mount -t tmpfs -o mode=0700,nosuid,nodev lockstep "$1" || exit 96
shift
ip link set lo up || exit 97
exec 9<&0
"$@" <&9 9<&- &
exec 9<&- </dev/null >/dev/null
wait "$!"
`;

/**
 * The command line that runs a program in network, mount and pid namespaces of its own, and in a
 * user namespace if the mode is `user`. Its standard streams and further descriptors are passed
 * on, as is its exit code. Whichever process of it is killed, or if the thread that spawned it
 * ends, every process and mount inside ends too. Exit codes 95 to 97: the namespaces could not be
 * prepared.
 */
export function isolationCommand(options: IsolationOptions): string[] {
  const shell = (script: string): string[] => ['/bin/sh', '-c', script, 'lockstep'];
  const user = options.mode === 'user' ? ['unshare', '--user', '--map-root-user', '--'] : [];
  return [
    ...shell(REMEMBER_SCRIPT),
    ...user,
    ...shell(GUARD_SCRIPT),
    ...['unshare', '--net', '--mount', '--propagation', 'private'],
    ...['--pid', '--fork', '--kill-child', '--mount-proc', '--'],
    ...shell(INIT_SCRIPT),
    options.scratchFolder,
    ...options.command,
  ];
}

/** What {@link detectIsolation} found out. */
export type Isolation =
  { readonly mode: IsolationMode } | { readonly mode: 'none'; readonly failure: Failure };

const DETECT_TIMEOUT_MS = 10_000;

/** Finds out by doing whether this process can make the namespaces, and how. */
export async function detectIsolation(): Promise<Isolation> {
  const modes: IsolationMode[] = process.getuid?.() === 0 ? ['root', 'user'] : ['user'];
  let reason: unknown;
  for (const mode of modes) {
    try {
      await tryIsolation(mode);
      return { mode };
    } catch (error) {
      reason ??= error;
    }
  }
  return {
    mode: 'none',
    failure: toFailure(
      new LockstepError(
        'PERMISSION_MISSING',
        `namespaces for the measuring process could not be made: ${toFailure(reason).message}`,
        {
          cause: reason,
          hint: 'run the agent as root, or allow user namespaces (sysctl user.max_user_namespaces)',
        },
      ),
    ),
  };
}

async function tryIsolation(mode: IsolationMode): Promise<void> {
  const scratchFolder = await mkdtemp(join(tmpdir(), 'lockstep-detect-'));
  try {
    const command = ['/bin/sh', '-c', 'test "$$" -lt 100 && ip link show lo'];
    await runCommand(isolationCommand({ scratchFolder, command, mode }), {
      timeoutMs: DETECT_TIMEOUT_MS,
    });
  } finally {
    await rmdir(scratchFolder);
  }
}
