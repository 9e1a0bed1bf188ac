import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { ArtefactFile } from '../../schemas/artefact.ts';
import { LockstepError } from '../../schemas/errors.ts';
import { keepFile } from './artefact-recipe.ts';
import type { ArtefactRecipe } from './artefact-recipe.ts';
import { runProgram } from './external-program.ts';

const SOURCE_PATH = join(import.meta.dirname, 'node', 'hello.mjs');
const TIMEOUT_MS = 10_000;

/**
 * The Node function: the program of the Node package, the shared libraries of this machine that it
 * needs at their own paths, and the script.
 */
export function helloNode(nodePath: string): ArtefactRecipe {
  return {
    name: 'hello-node',
    async readInputs() {
      const texts = [await readFile(SOURCE_PATH, 'utf8')];
      for (const path of [nodePath, ...(await readLibraries(nodePath))]) {
        const { size, mtimeMs } = await stat(path);
        texts.push(`${path} ${size} ${mtimeMs}`);
      }
      return texts.join('\0');
    },
    async make(cache) {
      const version = await runProgram(nodePath, ['--version'], { timeoutMs: TIMEOUT_MS });
      const files: ArtefactFile[] = [
        await keepFile(cache, nodePath, { path: '/bin/node', mode: 0o555 }),
        await keepFile(cache, SOURCE_PATH, { path: '/app/hello.mjs', mode: 0o444 }),
      ];
      for (const path of await readLibraries(nodePath)) {
        const mode = path.includes('/ld-') ? 0o555 : 0o444;
        files.push(await keepFile(cache, path, { path, mode }));
      }
      return {
        kind: 'function',
        name: 'hello-node',
        files: files.toSorted((a, b) => (a.path < b.path ? -1 : 1)),
        entry: ['{root}/bin/node', '{root}/app/hello.mjs'],
        staticBinary: false,
        toolchain: { node: version.trim(), libc: await readLibcVersion() },
      };
    },
  };
}

/**
 * Paths in what `ldd` prints: `name => /path (address)`, and `/path (address)` for the loader.
 *
 * @throws LockstepError TOOL_MISSING if a library is not on this machine.
 */
export function parseLibraries(text: string): string[] {
  const paths: string[] = [];
  for (const line of text.split('\n')) {
    const name = /^\s*(\S+) => not found/.exec(line)?.[1];
    if (name !== undefined) {
      throw new LockstepError('TOOL_MISSING', `the shared library ${name} is not installed`, {
        hint: 'Install the package that holds it (libstdc++6 on Debian).',
      });
    }
    const path = /^\s*(?:\S+ => )?(\/\S+) \(0x[0-9a-f]+\)/.exec(line)?.[1];
    if (path !== undefined && !paths.includes(path)) paths.push(path);
  }
  return paths;
}

async function readLibraries(program: string): Promise<string[]> {
  return parseLibraries(await runProgram('ldd', [program], { timeoutMs: TIMEOUT_MS }));
}

async function readLibcVersion(): Promise<string> {
  const text = await runProgram('ldd', ['--version'], { timeoutMs: TIMEOUT_MS });
  return (text.split('\n', 1)[0] ?? '').trim().slice(0, 200);
}
