import { mkdir, readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Architecture } from '../../schemas/artefact.ts';
import type { ArtefactRecipe } from './artefact-recipe.ts';
import { keepFile } from './artefact-recipe.ts';
import { compileGo, readCompilerVersion, readGoVersion } from './go-compiler.ts';

/** What compiles Go on this machine. Both paths are absolute. */
export interface GoTools {
  /** Path of the `go` command. */
  readonly goPath: string;
  readonly buildCacheFolder: string;
  /** The processor to compile for. Absent: this machine's. */
  readonly architecture?: Architecture;
}

/** A program that is one static file of an artefact. */
export interface GoProgram {
  readonly name: string;
  readonly kind: 'function' | 'tool';
  readonly sourceFolder: string;
  /** Its path in the artefact. */
  readonly path: string;
}

/** An artefact of one Go program and nothing else. */
export function goProgram(program: GoProgram, tools: GoTools): ArtefactRecipe {
  return {
    name: program.name,
    readInputs: () => readGoInputs(program.sourceFolder, tools.goPath),
    async make(cache, workFolder) {
      await mkdir(tools.buildCacheFolder, { recursive: true });
      const outputPath = join(workFolder, 'program');
      const { sourceFolder } = program;
      const toolchain = await compileGo({ ...tools, sourceFolder, outputPath });
      return {
        kind: program.kind,
        name: program.name,
        files: [await keepFile(cache, outputPath, { path: program.path, mode: 0o555 })],
        entry: [`{root}${program.path}`],
        staticBinary: true,
        toolchain,
      };
    },
  };
}

/** What a program of this folder is made of, as text: its sources without tests, and the tools. */
export async function readGoInputs(sourceFolder: string, goPath: string): Promise<string> {
  const texts = [await readGoVersion(goPath), (await readCompilerVersion()) ?? 'no cc'];
  for (const name of (await readdir(sourceFolder)).toSorted()) {
    const isSource = name === 'go.mod' || (name.endsWith('.go') && !name.endsWith('_test.go'));
    if (isSource) texts.push(name, await readFile(join(sourceFolder, name), 'utf8'));
  }
  return texts.join('\0');
}
