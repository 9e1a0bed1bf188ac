import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { keepFile } from './artefact-recipe.ts';
import type { ArtefactRecipe } from './artefact-recipe.ts';
import { compileGo, readCompilerVersion, readGoVersion } from './go-compiler.ts';

const SOURCE_FOLDER = join(import.meta.dirname, 'go');
const SOURCES = ['go.mod', 'main.go', 'guest_linux.go'];

/** The Go function: one static file, also the init process of microVM guests. */
export function helloGo(goPath: string, buildCacheFolder: string): ArtefactRecipe {
  return {
    name: 'hello-go',
    async readInputs() {
      const texts = [await readGoVersion(goPath), (await readCompilerVersion()) ?? 'no cc'];
      for (const name of SOURCES) texts.push(await readFile(join(SOURCE_FOLDER, name), 'utf8'));
      return texts.join('\0');
    },
    async make(cache, workFolder) {
      await mkdir(buildCacheFolder, { recursive: true });
      const outputPath = join(workFolder, 'function');
      const toolchain = await compileGo({
        goPath,
        sourceFolder: SOURCE_FOLDER,
        outputPath,
        buildCacheFolder,
      });
      return {
        kind: 'function',
        name: 'hello-go',
        files: [await keepFile(cache, outputPath, { path: '/function', mode: 0o555 })],
        entry: ['{root}/function'],
        staticBinary: true,
        toolchain,
      };
    },
  };
}
