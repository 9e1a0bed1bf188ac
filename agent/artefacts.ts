import type { ArtefactCache } from '../bus/artefact-cache.ts';
import type { ArtefactStore } from '../bus/artefact-store.ts';
import type { RunnerParams } from './runner/protocol.ts';
import type { FunctionRoot } from './sandboxes/function-root.ts';

/** Name under which the kernel for microVM guests is published. */
export const GUEST_KERNEL_NAME = 'guest-kernel';

/** What a device has fetched and assembled for a run or for its probes. */
export interface Equipment {
  readonly functions: readonly FunctionRoot[];
  readonly guestKernelFolder?: string;
  /** Folders of tools by name. */
  readonly tools: Readonly<Record<string, string>>;
  /** Folder of what the user supplies for sandboxes. */
  readonly imagesFolder?: string;
}

/** The same as a runner is told of it. */
export function runnerEquipment({
  functions,
  guestKernelFolder,
  imagesFolder,
  tools,
}: Equipment): Pick<
  RunnerParams<'setUp'>,
  'functions' | 'guestKernelFolder' | 'imagesFolder' | 'tools'
> {
  return {
    functions: [...functions],
    tools,
    ...(guestKernelFolder === undefined ? {} : { guestKernelFolder }),
    ...(imagesFolder === undefined ? {} : { imagesFolder }),
  };
}

/** Gets artefacts onto this device by digest and assembles their folders. */
export class Artefacts {
  readonly #cache: ArtefactCache;
  readonly #store: ArtefactStore;
  readonly #imagesFolder: string | undefined;

  constructor(cache: ArtefactCache, store: ArtefactStore, imagesFolder?: string) {
    this.#cache = cache;
    this.#store = store;
    this.#imagesFolder = imagesFolder;
  }

  /**
   * Fetches what is missing.
   *
   * @throws LockstepError ARTEFACT_MISSING or ARTEFACT_CORRUPT.
   */
  async equip(
    functionDigests: readonly string[],
    guestKernelDigest: string | undefined,
    toolDigests: Readonly<Record<string, string>> = {},
  ): Promise<Equipment> {
    const functions: FunctionRoot[] = [];
    for (const digest of functionDigests) {
      const folder = await this.#folderOf(digest);
      functions.push({ manifest: await this.#cache.readManifest(digest), digest, folder });
    }
    const tools: Record<string, string> = {};
    for (const [name, digest] of Object.entries(toolDigests)) {
      tools[name] = await this.#folderOf(digest);
    }
    const images = this.#imagesFolder === undefined ? {} : { imagesFolder: this.#imagesFolder };
    if (guestKernelDigest === undefined) return { functions, tools, ...images };
    const guestKernelFolder = await this.#folderOf(guestKernelDigest);
    return { functions, tools, ...images, guestKernelFolder };
  }

  /**
   * What probes can be made with.
   *
   * @param functionNames lists of names; of each the first function that the coordinator has
   */
  async equipFromNames(functionNames: readonly (readonly string[])[]): Promise<Equipment> {
    const digests = new Set<string>();
    for (const alternatives of functionNames) {
      for (const name of alternatives) {
        const digest = await this.#store.lookupName(name);
        if (digest === undefined) continue;
        digests.add(digest);
        break;
      }
    }
    return this.equip([...digests], await this.#store.lookupName(GUEST_KERNEL_NAME));
  }

  async #folderOf(digest: string): Promise<string> {
    await this.#store.fetch(this.#cache, digest);
    return this.#cache.assemble(digest);
  }
}
