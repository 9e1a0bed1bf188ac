import { join } from 'node:path';
import type { ArtefactRecipe } from './artefact-recipe.ts';
import { goProgram } from './go-program.ts';
import type { GoTools } from './go-program.ts';

/** Where the Go function's sources are. */
export const GO_FUNCTION_FOLDER = join(import.meta.dirname, 'go');

/** The Go function: one static file, also the init process of microVM guests. */
export function helloGo(tools: GoTools): ArtefactRecipe {
  return goProgram(
    { name: 'hello-go', kind: 'function', sourceFolder: GO_FUNCTION_FOLDER, path: '/function' },
    tools,
  );
}
