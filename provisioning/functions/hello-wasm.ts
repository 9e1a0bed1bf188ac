import { access, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { keepFile } from './artefact-recipe.ts';
import type { ArtefactRecipe } from './artefact-recipe.ts';
import { runProgram } from './external-program.ts';

const SOURCE_PATH = join(import.meta.dirname, 'wasm', 'hello.c');
/** Where Debian's wasi-libc has its headers. */
const SYSTEM_HEADERS = '/usr/include/wasm32-wasi';
const FLAGS = [
  '--target=wasm32-wasi',
  // A module that is asked again and again, and not a program that ends.
  '-mexec-model=reactor',
  '-O2',
  '-Wl,--strip-all',
];
const COMPILE_TIMEOUT_MS = 60_000;
const VERSION_TIMEOUT_MS = 10_000;

/** The function as a WebAssembly module with WASI, from C by clang. */
export const helloWasm: ArtefactRecipe = {
  name: 'hello-wasm',
  async readInputs() {
    const source = await readFile(SOURCE_PATH, 'utf8');
    return [(await readClangVersion()) ?? 'no clang', ...FLAGS, source].join('\0');
  },
  async make(cache, workFolder) {
    const outputPath = join(workFolder, 'hello.wasm');
    const options = { timeoutMs: COMPILE_TIMEOUT_MS };
    await runProgram('clang', [...FLAGS, '-o', outputPath, SOURCE_PATH], options);
    return {
      kind: 'function',
      name: 'hello-wasm',
      files: [await keepFile(cache, outputPath, { path: '/hello.wasm', mode: 0o444 })],
      entry: ['{root}/hello.wasm'],
      staticBinary: true,
      form: 'wasm',
      toolchain: { clang: (await readClangVersion()) ?? 'unknown' },
    };
  },
};

/** Whether this machine has what compiles C to WebAssembly with WASI. */
export async function canCompileWasm(): Promise<boolean> {
  const isThere = access(SYSTEM_HEADERS).then(
    () => true,
    () => false,
  );
  return (await isThere) && (await readClangVersion()) !== undefined;
}

async function readClangVersion(): Promise<string | undefined> {
  try {
    const text = await runProgram('clang', ['--version'], { timeoutMs: VERSION_TIMEOUT_MS });
    return text.split('\n', 1)[0]?.trim().slice(0, 200);
  } catch {
    return undefined;
  }
}
