import { copyFile, mkdir, readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { ArtefactRecipe } from './artefact-recipe.ts';
import { goProgram, readGoInputs } from './go-program.ts';
import type { GoTools } from './go-program.ts';
import { GO_FUNCTION_FOLDER } from './hello-go.ts';

const SOURCE_FOLDER = join(import.meta.dirname, 'misbehave');

// The same start of a guest as the measured function has.
const TAKEN_OVER = ['guest_linux.go', 'go.mod'].map((name) => join(GO_FUNCTION_FOLDER, name));

/**
 * The function that misbehaves in the way that its first argument names. The contract suite of
 * sandboxes needs it.
 */
export function misbehave(tools: GoTools): ArtefactRecipe {
  const name = 'misbehave';
  return {
    name,
    async readInputs() {
      const texts = [await readGoInputs(SOURCE_FOLDER, tools.goPath)];
      for (const path of TAKEN_OVER) texts.push(await readFile(path, 'utf8'));
      return texts.join('\0');
    },
    async make(cache, workFolder) {
      const sourceFolder = join(workFolder, 'sources');
      await mkdir(sourceFolder);
      for (const path of [join(SOURCE_FOLDER, 'main.go'), ...TAKEN_OVER]) {
        await copyFile(path, join(sourceFolder, basename(path)));
      }
      const program = { name, kind: 'function', sourceFolder, path: '/function' } as const;
      return goProgram(program, tools).make(cache, workFolder);
    },
  };
}
