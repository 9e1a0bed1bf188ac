import { join } from 'node:path';
import { ArtefactCache } from '../../../bus/artefact-cache.ts';
import { buildImages } from '../../../provisioning/images/build-images.ts';
import type { BuildOutcome } from '../../../provisioning/images/build-images.ts';
import { lookAtSandboxes, verifyImages } from '../../../provisioning/images/image-state.ts';
import type { SandboxState, VerifiedFile } from '../../../provisioning/images/image-state.ts';
import { SANDBOX_NEEDS } from '../../../provisioning/images/sandbox-needs.ts';
import { verifyArtefacts } from '../../../provisioning/images/verify-artefacts.ts';
import type { Architecture } from '../../../schemas/artefact.ts';
import { LockstepError } from '../../../schemas/errors.ts';
import { EXIT_CODES } from '../exit-codes.ts';
import { CHECKOUT_FOLDER } from '../home.ts';
import type { Home } from '../home.ts';
import type { Work } from '../session.ts';
import { textTable } from '../text-table.ts';

/** Options of `lockstep images build`. */
export interface ImagesBuildOptions {
  readonly json?: boolean;
  /** Names, separated by commas. */
  readonly function: string;
  readonly architecture: 'own' | 'x64' | 'arm64' | 'all';
  readonly download?: boolean;
}

/** Says what kinds of sandbox need, what of it is here, and how to get the rest. */
export function imagesList(kinds: readonly string[], options: { json?: boolean }): Work {
  return async ({ home, output }) => {
    const states = await lookAtSandboxes(imagesFolder(home), known(kinds));
    if (options.json === true) output.result(JSON.stringify(states, null, 2));
    else {
      const header = ['sandbox', 'image', 'needs', 'state', 'digest', 'how to get it'];
      output.result(textTable(header, states.flatMap(stateRows)));
      output.result(`\nimages folder: ${imagesFolder(home)}`);
    }
    return EXIT_CODES.ok;
  };
}

/** Makes the images of functions for kinds of sandbox, and gets the files that those need. */
export function imagesBuild(kinds: readonly string[], options: ImagesBuildOptions): Work {
  return async ({ home, output, signal }) => {
    const outcomes = await buildImages({
      checkout: CHECKOUT_FOLDER,
      cacheFolder: home.cacheFolder,
      imagesFolder: imagesFolder(home),
      sandboxes: known(kinds),
      functions: options.function.split(','),
      architectures: architecturesOf(options.architecture),
      download: options.download === true,
      signal,
      onStep: (text) => {
        output.live(text);
      },
    });
    if (options.json === true) output.result(JSON.stringify(outcomes, null, 2));
    else output.result(textTable(['what', 'state', 'detail'], outcomes.flatMap(outcomeRows)));
    return outcomes.some(({ state }) => state === 'failed') ? EXIT_CODES.failed : EXIT_CODES.ok;
  };
}

/** Reads all images, supplied files and artefacts again, and compares their digests. */
export function imagesVerify(options: { json?: boolean }): Work {
  return async ({ home, output }) => {
    const files = [
      ...(await verifyArtefacts(new ArtefactCache(home.cacheFolder))),
      ...(await verifyImages(imagesFolder(home))),
    ];
    if (options.json === true) output.result(JSON.stringify(files, null, 2));
    else output.result(textTable(['file', 'state', 'digest', 'origin'], files.map(verifiedRow)));
    return files.every(({ isFine }) => isFine) ? EXIT_CODES.ok : EXIT_CODES.failed;
  };
}

function imagesFolder(home: Home): string {
  return join(home.cacheFolder, 'images');
}

function known(kinds: readonly string[]): readonly string[] {
  const all = Object.keys(SANDBOX_NEEDS);
  for (const kind of kinds) {
    if (all.includes(kind)) continue;
    throw new LockstepError('USAGE', `'${kind}' is no kind of sandbox`, {
      hint: `There are ${all.join(', ')}.`,
    });
  }
  return kinds.length === 0 ? all : kinds;
}

function architecturesOf(choice: ImagesBuildOptions['architecture']): Architecture[] {
  const own = process.arch === 'arm64' ? 'arm64' : 'x64';
  if (choice === 'own') return [own];
  if (choice !== 'all') return [choice];
  return own === 'x64' ? ['x64', 'arm64'] : ['arm64', 'x64'];
}

function stateRows({ sandbox, form, needs }: SandboxState): string[][] {
  const image = form ?? 'per sandbox';
  if (needs.length === 0) return [[sandbox, image, 'nothing', 'there', '', '']];
  return needs.map(({ what, path, digest, how }, index) => [
    ...(index === 0 ? [sandbox, image] : ['', '']),
    what,
    path === undefined ? 'missing' : 'there',
    short(digest),
    path === undefined ? how : path,
  ]);
}

function outcomeRows({ what, state, detail, hint }: BuildOutcome): string[][] {
  const row = [what, state, detail];
  return hint === undefined ? [row] : [row, ['', '', hint]];
}

function verifiedRow({ place, isFine, detail, origin }: VerifiedFile): string[] {
  return [place, isFine ? 'ok' : 'DAMAGED', isFine ? short(detail) : detail, origin];
}

/** Enough of a digest to know it again. */
function short(digest: string | undefined): string {
  return digest === undefined ? '' : digest.slice(0, 'sha256:'.length + 12);
}
