import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { ArtefactCache } from '../../bus/artefact-cache.ts';
import type { Architecture } from '../../schemas/artefact.ts';
import { LockstepError } from '../../schemas/errors.ts';
import { PROTOCOL_VERSION } from '../../schemas/protocol.ts';
import { helloGo } from '../functions/hello-go.ts';
import type { GoTools } from '../functions/go-program.ts';
import { studyGo } from '../functions/study-go.ts';

const GO_RECIPES = { 'hello-go': helloGo, 'study-go': studyGo } as const;

/** The name of a function's artefact for an architecture other than this machine's. */
export function artefactName(name: string, architecture: Architecture): string {
  return architecture === process.arch ? name : `${name}-${architecture}`;
}

/**
 * The digest of a function for an architecture: as the set-up built it or, for another architecture
 * than this machine's, built now and kept in the cache under a name with the architecture. Modules
 * and scripts are the same for all.
 *
 * @throws LockstepError ARTEFACT_MISSING if it is not built, TOOL_MISSING if it can't be built for
 * that architecture here.
 */
export async function functionFor(
  cache: ArtefactCache,
  name: string,
  options: { architecture: Architecture; go: GoTools | undefined },
): Promise<string> {
  const { architecture, go } = options;
  const built = (await cache.names())[name];
  if (built === undefined) {
    throw new LockstepError('ARTEFACT_MISSING', `the function ${name} is not built`, {
      hint: 'npm run setup -- --sandboxes all',
    });
  }
  const { form } = await cache.readManifest(built);
  if (form !== undefined || architecture === process.arch) return built;
  const recipe = GO_RECIPES[name as keyof typeof GO_RECIPES] as typeof helloGo | undefined;
  if (recipe === undefined || go === undefined) {
    const others = Object.keys(GO_RECIPES).join(' and ');
    const elsewhere = `Build it on such a machine; ${others} can be built anywhere.`;
    throw new LockstepError('TOOL_MISSING', `${name} can't be built for ${architecture} here`, {
      hint: recipe === undefined ? elsewhere : 'npm run setup',
    });
  }
  const workFolder = await mkdtemp(join(cache.folder, '.build-'));
  try {
    const parts = await recipe({ ...go, architecture }).make(cache, workFolder);
    const ownName = artefactName(name, architecture);
    const manifest = { protocol: PROTOCOL_VERSION, architecture, ...parts, name: ownName } as const;
    const digest = await cache.putManifest(manifest);
    await cache.setName(ownName, digest);
    return digest;
  } finally {
    await rm(workFolder, { recursive: true, force: true });
  }
}
