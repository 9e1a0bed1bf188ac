import { join } from 'node:path';
import { ArtefactCache } from '../../bus/artefact-cache.ts';
import { LockstepError, errorCodeOf } from '../../schemas/errors.ts';
import { GUEST_KERNEL_NAME } from '../artefacts.ts';
import type { FunctionRoot } from '../sandboxes/function-root.ts';

/** Artefacts that were built on this device, or brought to it, by name. */
export class LocalArtefacts {
  readonly #cache: ArtefactCache;
  readonly #own: ArtefactCache;

  /**
   * @param cacheFolder what the set-up filled.
   * @param ownFolder where folders are assembled if that can't be written to.
   */
  constructor(cacheFolder: string, ownFolder: string) {
    this.#cache = new ArtefactCache(cacheFolder);
    this.#own = new ArtefactCache(ownFolder);
  }

  /** Folder of what the user supplies for sandboxes. */
  get imagesFolder(): string {
    return join(this.#cache.folder, 'images');
  }

  /** Digest of an artefact; undefined if it was not built. */
  async digestOf(name: string): Promise<string | undefined> {
    return (await this.#cache.names())[name];
  }

  /**
   * A function with its files in place.
   *
   * @throws LockstepError TOOL_MISSING if it was not built, ARTEFACT_CORRUPT.
   */
  async functionRoot(name: string): Promise<FunctionRoot> {
    const digest = await this.digestOf(name);
    if (digest === undefined) {
      throw new LockstepError('TOOL_MISSING', `${name} is not built`, {
        hint: 'Run `npm run setup`.',
      });
    }
    const manifest = await this.#cache.readManifest(digest);
    return { digest, manifest, folder: await this.#assemble(digest) };
  }

  /** Folder of the kernel for guests; undefined if it was not built. */
  async guestKernelFolder(): Promise<string | undefined> {
    const digest = await this.digestOf(GUEST_KERNEL_NAME);
    return digest === undefined ? undefined : this.#assemble(digest);
  }

  /** Folder of a tool; undefined if it was not built. */
  async toolFolder(name: string): Promise<string | undefined> {
    const digest = await this.digestOf(name);
    return digest === undefined ? undefined : this.#assemble(digest);
  }

  /** A plain user may read a cache of root, and then assembles a copy. */
  async #assemble(digest: string): Promise<string> {
    try {
      return await this.#cache.assemble(digest);
    } catch (error) {
      if (errorCodeOf(error) !== 'STORAGE_FAILED') throw error;
    }
    const manifest = await this.#cache.readManifest(digest);
    for (const file of manifest.files) await this.#own.putFile(this.#cache.blobPath(file.digest));
    return this.#own.assemble(await this.#own.putManifest(manifest));
  }
}
