import type { ArtefactRecipe } from '../functions/artefact-recipe.ts';
import { goProgram } from '../functions/go-program.ts';
import type { GoTools } from '../functions/go-program.ts';

/** The program that sends requests to functions, and the null server: one static file. */
export function loadGenerator(tools: GoTools): ArtefactRecipe {
  return goProgram(
    {
      name: 'load-generator',
      kind: 'tool',
      sourceFolder: import.meta.dirname,
      path: '/load-generator',
    },
    tools,
  );
}
