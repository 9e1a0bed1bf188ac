import type { ArtefactCache } from '../../bus/artefact-cache.ts';
import type { ArtefactFile, ArtefactManifest } from '../../schemas/artefact.ts';

/** Something that would be better to have, with the one command that adds it. */
export interface MissingThing {
  readonly name: string;
  readonly why: string;
  readonly remedy: string;
}

/** What a recipe makes: a manifest without what is the same for all. */
export type ArtefactParts = Pick<
  ArtefactManifest,
  'kind' | 'name' | 'files' | 'entry' | 'staticBinary' | 'form' | 'toolchain'
>;

/** How one artefact is made. */
export interface ArtefactRecipe {
  /** Name of the artefact. */
  readonly name: string;
  /** What it is made of, as text: if that is unchanged, so is the artefact. */
  readInputs(): Promise<string>;
  /** Makes it in a folder that is removed afterwards. */
  make(cache: ArtefactCache, workFolder: string): Promise<ArtefactParts>;
}

/** Keeps one file in the cache and says how it stands in the artefact. */
export async function keepFile(
  cache: ArtefactCache,
  sourcePath: string,
  place: { path: string; mode: 0o444 | 0o555 },
): Promise<ArtefactFile> {
  return { ...place, ...(await cache.putFile(sourcePath)) };
}
