import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readFile, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ArtefactCache } from '../../bus/artefact-cache.ts';
import { LockstepError, errorMessageOf } from '../../schemas/errors.ts';
import { PROTOCOL_VERSION } from '../../schemas/protocol.ts';
import { loadGenerator } from '../load-generator/recipe.ts';
import type { ArtefactRecipe, MissingThing } from './artefact-recipe.ts';
import type { GoTools } from './go-program.ts';
import { guestKernel } from './guest-kernel.ts';
import { helloGo } from './hello-go.ts';
import { helloNode } from './hello-node.ts';
import { misbehave } from './misbehave.ts';
import { studyGo } from './study-go.ts';
import { canCompileWasm, helloWasm } from './hello-wasm.ts';
import { helloWorker } from './hello-worker.ts';
import { readTools } from './tools.ts';

/** What a build did, by names of artefacts. */
export interface BuildReport {
  readonly built: string[];
  readonly kept: string[];
  readonly missing: MissingThing[];
}

const RECIPE_VERSION = 1;
const MADE_WITH_GO = ['hello-go', 'study-go', 'misbehave', 'load-generator'];
const WORK_PREFIX = '.build-';
const CHECKOUT = join(import.meta.dirname, '..', '..');

/**
 * Makes what can be made for this machine's architecture and puts it into the checkout's artefact
 * cache. What is made of the same as last time is left alone.
 */
export async function buildArtefacts(checkout: string): Promise<BuildReport> {
  const cache = new ArtefactCache(join(checkout, '.lockstep', 'cache'));
  const stampPath = join(cache.folder, 'build.json');
  const report: BuildReport = { built: [], kept: [], missing: [] };
  await removeAbandoned(cache);
  const stamps = await readStamps(stampPath);
  for (const recipe of await chooseRecipes(checkout, cache, report)) {
    try {
      const text = `${RECIPE_VERSION}\0${process.arch}\0${await recipe.readInputs()}`;
      const inputs = createHash('sha256').update(text).digest('hex');
      if (stamps[recipe.name] === inputs && (await isWhole(cache, recipe.name))) {
        report.kept.push(recipe.name);
        continue;
      }
      await buildOne(recipe, cache);
      stamps[recipe.name] = inputs;
      await writeStamps(stampPath, stamps);
      report.built.push(recipe.name);
    } catch (error) {
      report.missing.push(failure(recipe.name, error));
    }
  }
  return report;
}

async function chooseRecipes(
  checkout: string,
  cache: ArtefactCache,
  report: BuildReport,
): Promise<ArtefactRecipe[]> {
  const tools = await readTools(join(checkout, '.tools', 'tools.json'));
  const recipes: ArtefactRecipe[] = [];
  const go = tools.go === null ? undefined : goToolsOf(checkout, tools.go.path);
  if (go !== undefined) {
    recipes.push(helloGo(go), studyGo(go), misbehave(go), loadGenerator(go));
  } else for (const name of MADE_WITH_GO) if (await isWhole(cache, name)) report.kept.push(name);
  recipes.push(helloNode(nodePackageBinary(checkout)));
  recipes.push(helloWorker);
  if (await canCompileWasm()) recipes.push(helloWasm);
  else if (await isWhole(cache, 'hello-wasm')) report.kept.push('hello-wasm');
  if (tools.kernel !== null) recipes.push(guestKernel(tools.kernel.path, tools.kernel.version));
  else if (await isWhole(cache, 'guest-kernel')) report.kept.push('guest-kernel');
  return recipes;
}

function goToolsOf(checkout: string, goPath: string): GoTools {
  return { goPath, buildCacheFolder: join(checkout, '.tools', 'go-build-cache') };
}

async function buildOne(recipe: ArtefactRecipe, cache: ArtefactCache): Promise<void> {
  const workFolder = await mkdtemp(join(cache.folder, WORK_PREFIX));
  try {
    const parts = await recipe.make(cache, workFolder);
    const architecture = process.arch === 'arm64' ? 'arm64' : 'x64';
    const manifest = { protocol: PROTOCOL_VERSION, architecture, ...parts } as const;
    await cache.setName(recipe.name, await cache.putManifest(manifest));
  } finally {
    await rm(workFolder, { recursive: true, force: true });
  }
}

/** Removes what builds have left that were killed; nobody else builds meanwhile. */
async function removeAbandoned(cache: ArtefactCache): Promise<void> {
  await mkdir(cache.folder, { recursive: true });
  for (const name of await readdir(cache.folder)) {
    if (!name.startsWith(WORK_PREFIX)) continue;
    await rm(join(cache.folder, name), { recursive: true, force: true });
  }
}

/** Whether the cache holds an artefact by this name, with all its content. */
async function isWhole(cache: ArtefactCache, name: string): Promise<boolean> {
  try {
    const digest = (await cache.names())[name];
    if (digest === undefined) return false;
    for (const file of (await cache.readManifest(digest)).files) {
      if (!(await cache.hasBlob(file.digest))) return false;
    }
    return true;
  } catch {
    return false;
  }
}

function nodePackageBinary(checkout: string): string {
  return join(checkout, 'node_modules', `node-linux-${process.arch}`, 'bin', 'node');
}

async function readStamps(path: string): Promise<Record<string, string>> {
  try {
    return JSON.parse(await readFile(path, 'utf8')) as Record<string, string>;
  } catch {
    return {};
  }
}

async function writeStamps(path: string, stamps: Record<string, string>): Promise<void> {
  await writeFile(`${path}.new`, `${JSON.stringify(stamps)}\n`);
  await rename(`${path}.new`, path);
}

function failure(name: string, error: unknown): MissingThing {
  const hint = error instanceof LockstepError ? error.hint : undefined;
  return {
    name,
    why: `it could not be built: ${errorMessageOf(error)}`,
    remedy: hint ?? 'npm run setup',
  };
}

if (import.meta.main) {
  process.stdout.write(`${JSON.stringify(await buildArtefacts(CHECKOUT))}\n`);
}
