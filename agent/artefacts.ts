import type { ArtefactCache } from '../bus/artefact-cache.ts';
import type { ArtefactStore } from '../bus/artefact-store.ts';
import type { FunctionRoot } from './sandboxes/function-root.ts';

/** Name under which the kernel for microVM guests is published. */
export const GUEST_KERNEL_NAME = 'guest-kernel';

/** What a device has fetched and assembled for a run or for its probes. */
export interface Equipment {
  readonly functions: readonly FunctionRoot[];
  readonly guestKernelFolder?: string;
}

/** Gets artefacts onto this device by digest and assembles their folders. */
export class Artefacts {
  readonly #cache: ArtefactCache;
  readonly #store: ArtefactStore;

  constructor(cache: ArtefactCache, store: ArtefactStore) {
    this.#cache = cache;
    this.#store = store;
  }

  /**
   * Fetches what is missing.
   *
   * @throws LockstepError ARTEFACT_MISSING or ARTEFACT_CORRUPT.
   */
  async equip(
    functionDigests: readonly string[],
    guestKernelDigest: string | undefined,
  ): Promise<Equipment> {
    const functions: FunctionRoot[] = [];
    for (const digest of functionDigests) {
      const folder = await this.#folderOf(digest);
      functions.push({ manifest: await this.#cache.readManifest(digest), digest, folder });
    }
    if (guestKernelDigest === undefined) return { functions };
    return { functions, guestKernelFolder: await this.#folderOf(guestKernelDigest) };
  }

  /** What the coordinator has published now: everything that probes can be made with. */
  async equipFromNames(functionNames: readonly string[]): Promise<Equipment> {
    const digests: string[] = [];
    for (const name of functionNames) {
      const digest = await this.#store.lookupName(name);
      if (digest !== undefined) digests.push(digest);
    }
    return this.equip(digests, await this.#store.lookupName(GUEST_KERNEL_NAME));
  }

  async #folderOf(digest: string): Promise<string> {
    await this.#store.fetch(this.#cache, digest);
    return this.#cache.assemble(digest);
  }
}
