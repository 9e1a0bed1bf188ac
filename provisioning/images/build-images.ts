import { access } from 'node:fs/promises';
import { join } from 'node:path';
import { ArtefactCache } from '../../bus/artefact-cache.ts';
import type { Architecture } from '../../schemas/artefact.ts';
import { errorMessageOf } from '../../schemas/errors.ts';
import { toFailure } from '../../schemas/failure.ts';
import type { GoTools } from '../functions/go-program.ts';
import { readTools } from '../functions/tools.ts';
import { DigestLock, digestOfFile } from './digest-lock.ts';
import { fetchRelease } from './fetch-release.ts';
import { functionFor } from './function-builds.ts';
import { makeFunctionImage } from './function-image.ts';
import type { ImageForm } from './function-image.ts';
import { SANDBOX_NEEDS } from './sandbox-needs.ts';
import { suppliedFile } from './supplied.ts';
import type { SuppliedName } from './supplied.ts';

/** What to build. */
export interface BuildRequest {
  readonly checkout: string;
  readonly cacheFolder: string;
  readonly imagesFolder: string;
  readonly sandboxes: readonly string[];
  /** Names of functions that are programs; modules and scripts are taken by themselves. */
  readonly functions: readonly string[];
  readonly architectures: readonly Architecture[];
  /** True if releases of what is missing may be downloaded. */
  readonly download: boolean;
  readonly signal?: AbortSignal;
  readonly onStep: (text: string) => void;
}

/** What became of one image or file. */
export interface BuildOutcome {
  readonly what: string;
  readonly state: 'built' | 'fetched' | 'recorded' | 'failed';
  /** Digest, or the reason of a failure. */
  readonly detail: string;
  readonly hint?: string;
}

const CODE_FUNCTIONS: Readonly<Record<string, string>> = {
  wasi: 'hello-wasm',
  workerd: 'hello-worker',
};

/** Makes the images of functions that the kinds of sandbox need, and gets their files. */
export async function buildImages(request: BuildRequest): Promise<BuildOutcome[]> {
  const outcomes: BuildOutcome[] = [];
  for (const name of suppliedFor(request.sandboxes)) {
    for (const outcome of await supply(name, request)) outcomes.push(outcome);
  }
  const cache = new ArtefactCache(request.cacheFolder);
  const go = await findGo(request.checkout);
  for (const { functionName, form } of imagesFor(request)) {
    for (const architecture of request.architectures) {
      const what = `${functionName} ${architecture} as ${form}`;
      request.onStep(what);
      try {
        request.signal?.throwIfAborted();
        const digest = await functionFor(cache, functionName, { architecture, go });
        const image = await makeFunctionImage(cache, digest, form, request.imagesFolder);
        const lock = await DigestLock.open(request.imagesFolder);
        await lock.check(image.place, { digest: image.digest, origin: `built of ${digest}` });
        outcomes.push({ what, state: 'built', detail: `${image.digest} ${image.place}` });
      } catch (error) {
        outcomes.push(failed(what, error));
      }
    }
  }
  return outcomes;
}

/** Gets a supplied file if it may and must, and puts its digest on record. */
async function supply(name: SuppliedName, request: BuildRequest): Promise<BuildOutcome[]> {
  const { imagesFolder } = request;
  const file = suppliedFile(name);
  // What a variable names is the user's own affair, wherever it is.
  if ((process.env[file.variable] ?? '') !== '') return [];
  const path = join(imagesFolder, file.place);
  const isThere = await access(path).then(
    () => true,
    () => false,
  );
  try {
    if (!isThere && request.download) {
      request.onStep(`download of ${file.what}`);
      const [architecture = 'x64'] = request.architectures;
      const { signal } = request;
      const options = { imagesFolder, architecture, ...(signal === undefined ? {} : { signal }) };
      await fetchRelease(file, options);
    } else if (!isThere) return [];
    const lock = await DigestLock.open(imagesFolder);
    const digest = await digestOfFile(path);
    await lock.check(file.place, { digest, origin: 'supplied by the user' });
    return [{ what: file.what, state: isThere ? 'recorded' : 'fetched', detail: digest }];
  } catch (error) {
    return [failed(file.what, error)];
  }
}

function suppliedFor(sandboxes: readonly string[]): SuppliedName[] {
  return [...new Set(sandboxes.flatMap((sandbox) => SANDBOX_NEEDS[sandbox]?.supplied ?? []))];
}

function imagesFor({ functions, sandboxes }: BuildRequest) {
  const images = new Map<string, { functionName: string; form: ImageForm }>();
  for (const sandbox of sandboxes) {
    const form = SANDBOX_NEEDS[sandbox]?.form;
    if (form === undefined) continue;
    const names = form === 'code' ? [CODE_FUNCTIONS[sandbox] ?? ''] : functions;
    for (const functionName of names) {
      images.set(`${functionName} ${form}`, { functionName, form });
    }
  }
  return images.values();
}

async function findGo(checkout: string): Promise<GoTools | undefined> {
  const tools = await readTools(join(checkout, '.tools', 'tools.json')).catch(() => undefined);
  const goPath = tools?.go?.path;
  if (goPath === undefined) return undefined;
  return { goPath, buildCacheFolder: join(checkout, '.tools', 'go-build-cache') };
}

function failed(what: string, error: unknown): BuildOutcome {
  const { hint } = toFailure(error);
  const detail = errorMessageOf(error);
  return { what, state: 'failed', detail, ...(hint === undefined ? {} : { hint }) };
}
