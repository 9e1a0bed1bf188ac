import { access, mkdir } from 'node:fs/promises';
import { readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { LockstepError, errorCodeOf, errorMessageOf } from '../../schemas/errors.ts';
import type { Cgroups } from './cgroup.ts';
import type { DriverContext } from './driver.ts';
import { Gate } from './gate.ts';
import { describeExit } from './gated-sandbox.ts';
import { assertOwnNetwork } from './network.ts';
import type { Slot } from './network.ts';

/** Folder of what this project puts beside a daemon; a path inside of its mount namespace. */
export const DAEMON_FOLDER = '/run/lockstep-daemon';

/** A file that a daemon finds: its path inside of the daemon's mount namespace, and its text. */
export interface DaemonFile {
  readonly path: string;
  readonly text: string;
  readonly isExecutable?: boolean;
}

/** What a daemon is started with. */
export interface DaemonOptions {
  /** Its name; its processes are in the cgroup `daemon-NAME` of the agent. */
  readonly name: string;
  readonly command: readonly string[];
  readonly files: readonly DaemonFile[];
  /** Resolves if it serves; its error says what it waits for. */
  readonly check: (daemon: DaemonProcess) => Promise<unknown>;
  /** Default 30 s. */
  readonly readyTimeoutMs?: number;
}

const READY_TIMEOUT_MS = 30_000;
const READY_POLL_MS = 10;
const END_TIMEOUT_MS = 2_000;
const END_POLL_MS = 5;

// Everything that a daemon keeps under fixed paths of the device is a mount of its own here: what
// it leaves is gone with its last process. Names are not resolved, so that no file of the device
// decides how long that takes. Profiles of AppArmor would be loaded into the device's kernel. Not
// every runtime bears an empty hierarchy of version 2 beside those of version 1.
const PLACE_SCRIPT = `
ulimit -n 65536 2>/dev/null
mount -t tmpfs -o mode=0755 lockstep-daemon /run || exit 91
mount -t tmpfs -o mode=1777 lockstep-daemon /tmp || exit 91
for name in etc var; do
  layer=/run/lockstep-layers/$name
  mkdir -p $layer/upper $layer/work || exit 91
  mount -t overlay lockstep-daemon /$name \\
    -o lowerdir=/$name,upperdir=$layer/upper,workdir=$layer/work || exit 92
done
rm -f /etc/resolv.conf && : >/etc/resolv.conf
if test -d /sys/kernel/security; then mount -t tmpfs lockstep-daemon /sys/kernel/security; fi
if test -d /sys/fs/cgroup/unified; then umount -l /sys/fs/cgroup/unified; fi
mkdir -p ${DAEMON_FOLDER} || exit 93
left=$1
shift
while [ "$left" -gt 0 ]; do
  mkdir -p "$(dirname "$1")" && printf '%s' "$2" >"$1" && chmod "$3" "$1" || exit 93
  shift 3
  left=$((left - 1))
done
: >${DAEMON_FOLDER}/placed || exit 93
exec "$@"
`;

/**
 * A daemon of a driver: it serves one runner, in the runner's namespaces but with a mount namespace
 * of its own, where /run and /tmp are private, as is what it writes to /etc and /var. This process
 * reaches the paths in there through {@link inside}. It ends with the runner, and with the agent's
 * cgroups.
 */
export class DaemonProcess {
  readonly #name: string;
  readonly #gate: Gate;
  readonly #cgroups: Cgroups;
  #exit: string | undefined;

  private constructor(name: string, gate: Gate, cgroups: Cgroups) {
    this.#name = name;
    this.#gate = gate;
    this.#cgroups = cgroups;
    void gate.exited.then((exit) => {
      this.#exit = describeExit(exit);
      // What it started outlives it otherwise.
      void this.end();
    });
  }

  /**
   * Starts a daemon and waits until it serves.
   *
   * @throws LockstepError SANDBOX_UNAVAILABLE with the end of its log if it does not.
   */
  static async start(context: DriverContext, options: DaemonOptions): Promise<DaemonProcess> {
    const { cgroups } = context;
    assertMayServe(cgroups);
    const group = groupOf(options.name);
    await cgroups.killAll(group);
    const joinFiles = cgroups.joinFiles(group);
    // No limits: it serves many sandboxes, which have their own.
    for (const file of joinFiles) await mkdir(dirname(file), { recursive: true });
    const gate = await Gate.create({
      command: [
        ...['unshare', '--mount', '--propagation', 'private', '--'],
        ...['/bin/sh', '-c', PLACE_SCRIPT, 'lockstep-daemon'],
        String(options.files.length),
        ...options.files.flatMap(({ path, text, isExecutable }) => [
          ...[path, text, isExecutable === true ? '0755' : '0644'],
        ]),
        ...options.command,
      ],
      joinFiles,
      onPhase: () => undefined,
    });
    const daemon = new DaemonProcess(options.name, gate, cgroups);
    gate.open();
    try {
      await daemon.#serving(options);
    } catch (error) {
      await daemon.end();
      throw error;
    }
    return daemon;
  }

  /** True until its first process has ended. */
  isAlive(): boolean {
    return this.#exit === undefined;
  }

  /** The path by which this process reaches a path of the daemon's mount namespace. */
  inside(path: string): string {
    return `/proc/${this.#gate.processId}/root${path}`;
  }

  /** The words that put a command into the daemon's mount namespace. */
  get enterCommand(): string[] {
    return ['nsenter', `--mount=/proc/${this.#gate.processId}/ns/mnt`, '--'];
  }

  /** Files of cgroups to join for a command whose processes belong to the daemon's. */
  get joinFiles(): string[] {
    return this.#cgroups.joinFiles(groupOf(this.#name));
  }

  /** The end of what it printed, at most 16 KiB. */
  logTail(): string {
    return this.#gate.tail();
  }

  /**
   * Waits until no process of the daemon's has one of the words in its command line, and kills
   * those that stay. So ends what a daemon starts for each container. Returns who is left.
   */
  async endHelpers(words: readonly string[]): Promise<number[]> {
    const group = groupOf(this.#name);
    const find = (): number[] =>
      this.#cgroups.processIds(group).filter((id) => commandLineOf(id).some((word) => has(word)));
    const has = (word: string): boolean => words.includes(word);
    const killAtMs = performance.now() + END_TIMEOUT_MS;
    const giveUpAtMs = killAtMs + END_TIMEOUT_MS;
    for (;;) {
      const ids = find();
      const nowMs = performance.now();
      if (ids.length === 0 || nowMs > giveUpAtMs) return ids;
      if (nowMs > killAtMs) for (const id of ids) kill(id);
      await delay(END_POLL_MS);
    }
  }

  /** Ends it if the error says that it did not answer in time; the next sandbox gets a new one. */
  async endIfSilent(error: unknown): Promise<void> {
    if (errorCodeOf(error) === 'DEADLINE_EXCEEDED') await this.end();
  }

  /** Ends it and all that it started, but not the sandboxes, which have cgroups of their own. */
  async end(): Promise<void> {
    this.#gate.kill();
    await this.#cgroups.killAll(groupOf(this.#name));
    await this.#gate.exited;
    this.#gate.destroy();
  }

  async #serving({ check, readyTimeoutMs = READY_TIMEOUT_MS }: DaemonOptions): Promise<void> {
    const deadline = performance.now() + readyTimeoutMs;
    for (;;) {
      let reason: unknown;
      try {
        // Until then its namespace is still the runner's.
        await access(this.inside(`${DAEMON_FOLDER}/placed`));
        await check(this);
        return;
      } catch (error) {
        reason = error;
      }
      if (!this.isAlive()) throw this.#failure(`ended at its start: ${this.#exit ?? ''}`, reason);
      if (performance.now() > deadline) {
        throw this.#failure(`did not serve within ${readyTimeoutMs} ms`, reason);
      }
      await delay(READY_POLL_MS);
    }
  }

  #failure(what: string, cause: unknown): LockstepError {
    const log = this.logTail().trim().split('\n').slice(-3).join(' | ').slice(-700);
    return new LockstepError(
      'SANDBOX_UNAVAILABLE',
      `the daemon ${this.#name} ${what}; ${errorMessageOf(cause).slice(0, 200)}; its log: ${log}`,
      { cause, hint: 'start the daemon by hand to see more, and look at what its log asks for' },
    );
  }
}

const daemons = new WeakMap<Cgroups, Map<string, Promise<DaemonProcess>>>();

/**
 * The daemon of that name of this runner: the one that serves, else a new one.
 *
 * @param options asked for only if one has to be started.
 */
export async function daemonOf(
  context: DriverContext,
  name: string,
  options: () => Promise<Omit<DaemonOptions, 'name'>>,
): Promise<DaemonProcess> {
  const own = daemons.get(context.cgroups) ?? new Map<string, Promise<DaemonProcess>>();
  daemons.set(context.cgroups, own);
  const former = own.get(name);
  if (former !== undefined && (await servesStill(former))) return former;
  // Several may have waited for the one that ended.
  const current = own.get(name);
  if (current !== undefined && current !== former) return current;
  const next = options().then((given) => DaemonProcess.start(context, { name, ...given }));
  own.set(name, next);
  return next;
}

async function servesStill(daemon: Promise<DaemonProcess>): Promise<boolean> {
  return daemon.then(
    (one) => one.isAlive(),
    () => false,
  );
}

/**
 * The network namespace of a slot by a path that holds in the mount namespace of every daemon of
 * this runner, although the slot was mounted later.
 *
 * @throws LockstepError SANDBOX_UNAVAILABLE if the slot has none.
 */
export function slotNetwork({ netnsPath, index }: Slot): string {
  if (netnsPath !== undefined) return `/proc/${process.pid}/root${netnsPath}`;
  throw new LockstepError('SANDBOX_UNAVAILABLE', `slot ${index} has no network namespace`);
}

function assertMayServe(cgroups: Cgroups): void {
  assertOwnNetwork();
  const isRoot = /^\s*0\s+0\s+4294967295\s*$/.test(readFileSync('/proc/self/uid_map', 'utf8'));
  if (isRoot && process.getuid?.() === 0 && cgroups.mode !== 'none') return;
  throw new LockstepError(
    'SANDBOX_UNAVAILABLE',
    isRoot ? `there are no cgroups: ${cgroups.reason ?? ''}` : 'a daemon of containers needs root',
    { hint: 'run the agent as root, on a system with cgroups' },
  );
}

function groupOf(name: string): string {
  return `daemon-${name}`;
}

function commandLineOf(id: number): string[] {
  try {
    return readFileSync(`/proc/${id}/cmdline`, 'utf8').split('\0');
  } catch {
    return [];
  }
}

function kill(id: number): void {
  try {
    process.kill(id, 'SIGKILL');
  } catch {
    // It ended by itself in between.
  }
}
