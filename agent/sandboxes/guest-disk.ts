import { rm, stat, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { LockstepError } from '../../schemas/errors.ts';
import { runCommand } from './command.ts';
import { writeRootImage } from './firecracker/root-image.ts';
import type { FunctionRoot } from './function-root.ts';

const MIB = 1024 * 1024;
/** Room for what a function writes, MiB; at least, and as a multiple of its own files. */
const FREE_MIB = 64;
const FREE_FACTOR = 3;
const TIMEOUT_MS = 60_000;

/**
 * Checks that ext4 images can be made here; no right is needed for that.
 *
 * @throws LockstepError TOOL_MISSING if not.
 */
export async function assertDisks(): Promise<void> {
  for (const argv of [['mke2fs', '-V'], ['debugfs', '-V'], ['resize2fs']]) {
    try {
      await runCommand(argv);
    } catch (error) {
      // Without an image to resize it complains, but it is there.
      if (!(error instanceof LockstepError) || error.code !== 'TOOL_MISSING') continue;
      throw new LockstepError('TOOL_MISSING', `${argv[0] ?? ''} is not installed`, {
        cause: error,
        hint: 'apt-get install e2fsprogs',
      });
    }
  }
}

/** The ext4 images of a runner's guests. One is made for each function; guests get copies. */
export class GuestDisks {
  readonly #folder: string;
  readonly #files = new Map<string, Promise<string>>();

  /** @param folder where to keep them; on the runner's private tmpfs. */
  constructor(folder: string) {
    this.#folder = folder;
  }

  /**
   * Writes an image with the function's files and room to write, for one guest.
   *
   * @throws LockstepError TOOL_MISSING without e2fsprogs, SANDBOX_FAILED if they fail.
   */
  async copyFor(functionRoot: FunctionRoot, file: string): Promise<void> {
    const kept = await this.#forFunction(functionRoot);
    // Holes stay holes: free space costs no memory until it is written to.
    await runCommand(['cp', '--sparse=always', '--reflink=auto', '--', kept, file]);
  }

  #forFunction(functionRoot: FunctionRoot): Promise<string> {
    const { digest } = functionRoot;
    const known = this.#files.get(digest);
    if (known !== undefined) return known;
    const file = this.#make(functionRoot);
    this.#files.set(digest, file);
    // A failure is for who asked; the next one may have more luck.
    file.catch(() => this.#files.delete(digest));
    return file;
  }

  async #make(functionRoot: FunctionRoot): Promise<string> {
    const file = join(this.#folder, `${functionRoot.digest.replace(/^sha256:/, '')}.ext4`);
    try {
      await writeRootImage(functionRoot, file);
      const { size } = await stat(file);
      await truncate(file, size + Math.max(FREE_MIB * MIB, size * FREE_FACTOR));
      await runCommand(['resize2fs', '-f', file], { timeoutMs: TIMEOUT_MS });
      return file;
    } catch (error) {
      await rm(file, { force: true });
      throw error;
    }
  }
}
