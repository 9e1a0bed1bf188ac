import { join } from 'node:path';
import type { ArtefactCache } from '../../bus/artefact-cache.ts';
import type { ArtefactFile } from '../../schemas/artefact.ts';
import { keepFile } from './artefact-recipe.ts';
import type { ArtefactRecipe } from './artefact-recipe.ts';
import { compileGo } from './go-compiler.ts';
import { readGoInputs } from './go-program.ts';
import type { GoTools } from './go-program.ts';
import { runProgram } from './external-program.ts';
import { GO_FUNCTION_FOLDER, helloGo } from './hello-go.ts';

const ARCHIVES_FOLDER = join(GO_FUNCTION_FOLDER, 'archives');
const ARCHIVES = ['compressible.zip', 'stored.zip'];
const WRITE_TIMEOUT_MS = 120_000;

/**
 * The Go function with the two archives that it reads and unpacks: stored.zip with the study's
 * size (52,438,506 bytes; arXiv 2403.00515) and contents that deflate can only store, and
 * compressible.zip with text. Both are written from seeds when this is built.
 */
export function studyGo(tools: GoTools): ArtefactRecipe {
  const program = helloGo(tools);
  return {
    name: 'study-go',
    async readInputs() {
      const inputs = await readGoInputs(ARCHIVES_FOLDER, tools.goPath);
      return [await program.readInputs(), inputs].join('\0');
    },
    async make(cache, workFolder) {
      const parts = await program.make(cache, workFolder);
      return {
        ...parts,
        name: 'study-go',
        files: [...(await keepArchives(tools, cache, workFolder)), ...parts.files],
        // The folder is named, for a process without isolation has the device's own root.
        entry: [...parts.entry, '--data', '{root}/data'],
      };
    },
  };
}

/**
 * Writes both archives into a folder.
 *
 * @returns their paths.
 * @throws LockstepError INTERNAL with what the compiler or the program said.
 */
export async function writeArchives(tools: GoTools, folder: string): Promise<string[]> {
  const outputPath = join(folder, 'archives');
  const { goPath, buildCacheFolder } = tools;
  // It runs here, whatever the function is for.
  await compileGo({ goPath, buildCacheFolder, sourceFolder: ARCHIVES_FOLDER, outputPath });
  await runProgram(outputPath, [folder], { timeoutMs: WRITE_TIMEOUT_MS });
  return ARCHIVES.map((name) => join(folder, name));
}

async function keepArchives(
  tools: GoTools,
  cache: ArtefactCache,
  workFolder: string,
): Promise<ArtefactFile[]> {
  const files: ArtefactFile[] = [];
  for (const [index, path] of (await writeArchives(tools, workFolder)).entries()) {
    const place = { path: `/data/${ARCHIVES[index] ?? ''}`, mode: 0o444 } as const;
    files.push(await keepFile(cache, path, place));
  }
  return files;
}
