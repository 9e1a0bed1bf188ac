import type { ArtefactCache } from '../../bus/artefact-cache.ts';
import { errorMessageOf } from '../../schemas/errors.ts';
import { digestOfFile } from './digest-lock.ts';
import type { VerifiedFile } from './image-state.ts';

/** Reads every file of every named artefact of a cache again and compares the digests. */
export async function verifyArtefacts(cache: ArtefactCache): Promise<VerifiedFile[]> {
  const verified: VerifiedFile[] = [];
  for (const [name, digest] of Object.entries(await cache.names())) {
    try {
      for (const file of (await cache.readManifest(digest)).files) {
        const found = await digestOfFile(cache.blobPath(file.digest));
        const isFine = found === file.digest;
        verified.push({
          place: `${name}${file.path}`,
          origin: `artefact ${digest}`,
          isFine,
          detail: isFine ? found : `${found}, and was ${file.digest}`,
        });
      }
    } catch (error) {
      const detail = errorMessageOf(error);
      verified.push({ place: name, origin: `artefact ${digest}`, isFine: false, detail });
    }
  }
  return verified;
}
