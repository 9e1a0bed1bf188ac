import { chown, mkdir, rmdir, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { runCommand } from '../command.ts';
import type { DriverContext } from '../driver.ts';
import { PROCESSES_MAX } from '../cgroup-layout.ts';

/** What a jail is made for. */
export interface JailOptions {
  readonly jailerProgram: string;
  readonly firecrackerProgram: string;
  /** Letters, digits and hyphens, at most 64. */
  readonly id: string;
  readonly uid: number;
  /** Files that Firecracker reads; inside they have the same paths. */
  readonly readOnlyFiles: readonly string[];
  /** Files that it reads and writes, likewise; they become its user's. */
  readonly sharedFiles: readonly string[];
  /** Files that it writes anew: made empty, with the same paths inside, and its user's. */
  readonly writtenFiles: readonly string[];
}

// Of its own for each sandbox, above what systems give to users and to services.
const UID_MIN = 1_900_000_000;

// Firecracker itself, copied, and what it writes; the files that it reads are bound and take none.
const SIZE_MIB = 64;

/** The user that the Firecracker of a network slot becomes in its jail. */
export function jailUid(slotIndex: number): number {
  return UID_MIN + slotIndex;
}

/**
 * The folder that Firecracker's jailer makes the root of one Firecracker. It stands on a file
 * system of its own, because the runner's has no devices, and the jailer makes some. Source:
 * Firecracker, docs/jailer.md.
 */
export class Jail {
  readonly #context: DriverContext;
  readonly #options: JailOptions;
  readonly #base: string;
  /** What Firecracker has as its root. */
  readonly root: string;

  /** Nothing is made yet; see {@link build}. */
  constructor(context: DriverContext, options: JailOptions) {
    this.#context = context;
    this.#options = options;
    this.#base = join(context.scratchFolder, 'j', options.id);
    // The layout is the jailer's, which begins with the name of the program.
    this.root = join(this.#base, basename(options.firecrackerProgram), options.id, 'root');
  }

  /**
   * Makes the folder with all files in it.
   *
   * @throws LockstepError SANDBOX_FAILED if a mount is refused.
   */
  async build(): Promise<void> {
    const { readOnlyFiles, sharedFiles, uid, writtenFiles } = this.#options;
    await mkdir(this.#base, { recursive: true });
    const mount = ['mount', '-t', 'tmpfs', '-o', `mode=0755,nosuid,size=${SIZE_MIB}m`];
    await runCommand([...mount, 'lockstep-jail', this.#base]);
    await mkdir(this.root, { recursive: true });
    await chown(this.root, uid, uid);
    for (const file of readOnlyFiles) {
      await this.#place(file);
      await runCommand(['mount', '-o', 'bind,ro', file, this.inside(file)]);
    }
    for (const file of sharedFiles) {
      await this.#place(file);
      await chown(file, uid, uid);
      await runCommand(['mount', '-o', 'bind', file, this.inside(file)]);
    }
    for (const file of writtenFiles) {
      await this.#place(file);
      await chown(this.inside(file), uid, uid);
    }
  }

  /** Where a path of Firecracker's is, as seen from outside. */
  inside(path: string): string {
    return join(this.root, path);
  }

  /** The command line of the jailer that becomes Firecracker with these arguments. */
  command(firecrackerWords: readonly string[]): string[] {
    const { firecrackerProgram, id, jailerProgram, uid } = this.#options;
    return [
      jailerProgram,
      ...['--id', id, '--exec-file', firecrackerProgram],
      ...['--uid', String(uid), '--gid', String(uid)],
      ...['--chroot-base-dir', this.#base],
      ...this.#cgroupWords(),
      '--',
      ...firecrackerWords,
    ];
  }

  /** Removes it. Safe to call at any time, and twice. */
  async remove(): Promise<void> {
    const mounts = await runCommand(['findmnt', '--noheadings', '--output', 'TARGET', this.#base])
      .then(({ stdout }) => stdout.trim())
      .catch(() => '');
    if (mounts !== '') await runCommand(['umount', '--recursive', this.#base]);
    for (const folder of [this.#base, dirname(this.#base)]) {
      await rmdir(folder).catch((error: unknown) => {
        const { code = '' } = error as NodeJS.ErrnoException;
        // Other jails may still stand beside it.
        if (code !== 'ENOENT' && code !== 'ENOTEMPTY') throw error;
      });
    }
  }

  async #place(file: string): Promise<void> {
    await mkdir(dirname(this.inside(file)), { recursive: true });
    await writeFile(this.inside(file), '', { flag: 'a' });
  }

  // The gated child is in its cgroup already; the jailer is told the same one, so that it does not
  // move the process to one of its own making.
  #cgroupWords(): string[] {
    const { cgroups } = this.#context;
    const { id } = this.#options;
    const own = cgroups.ociPath(id)?.replace(/^\/+/, '');
    if (own === undefined) return ['--cgroup-version', '1'];
    if (cgroups.mode === 'v2') return ['--cgroup-version', '2', '--parent-cgroup', own];
    return [
      ...['--cgroup-version', '1', '--parent-cgroup', dirname(own)],
      ...['--cgroup', `pids.max=${PROCESSES_MAX}`],
    ];
  }
}
