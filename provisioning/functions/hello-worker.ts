import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { keepFile } from './artefact-recipe.ts';
import type { ArtefactRecipe } from './artefact-recipe.ts';

const SOURCE_PATH = join(import.meta.dirname, 'worker', 'hello.mjs');

/** The function as a script for workerd. */
export const helloWorker: ArtefactRecipe = {
  name: 'hello-worker',
  readInputs: () => readFile(SOURCE_PATH, 'utf8'),
  async make(cache) {
    return {
      kind: 'function',
      name: 'hello-worker',
      files: [await keepFile(cache, SOURCE_PATH, { path: '/hello.mjs', mode: 0o444 })],
      entry: ['{root}/hello.mjs'],
      staticBinary: true,
      form: 'worker',
      toolchain: {},
    };
  },
};
