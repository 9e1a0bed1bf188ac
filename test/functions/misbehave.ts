import { createHash } from 'node:crypto';
import { chmod, copyFile, mkdir, mkdtemp, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { FunctionRoot } from '../../agent/sandboxes/function-root.ts';
import { compileGo } from '../../provisioning/functions/go-compiler.ts';
import { readTools } from '../../provisioning/functions/tools.ts';
import { LockstepError } from '../../schemas/errors.ts';
import { Architecture } from '../../schemas/artefact.ts';

const CHECKOUT = join(import.meta.dirname, '..', '..');
const SOURCES = [
  join(import.meta.dirname, 'misbehave', 'main.go'),
  // The same start of a guest as the measured function has.
  join(CHECKOUT, 'provisioning', 'functions', 'go', 'guest_linux.go'),
  join(CHECKOUT, 'provisioning', 'functions', 'go', 'go.mod'),
];

/** The ways in which the function can misbehave; see misbehave/main.go. */
export type Misbehaviour =
  | 'never-ready'
  | 'crash-before-ready'
  | 'crash-after-ready'
  | 'status-500'
  | 'print-much'
  | 'fork-children'
  | 'ignore-term';

/**
 * Compiles the function, if its sources changed, and returns the folder that is its root.
 *
 * @throws LockstepError TOOL_MISSING if there is no Go compiler.
 */
export async function buildMisbehave(): Promise<string> {
  const { go } = await readTools(join(CHECKOUT, '.tools', 'tools.json'));
  if (go === null) throw new LockstepError('TOOL_MISSING', 'there is no Go compiler');
  const hash = createHash('sha256');
  for (const source of SOURCES) hash.update(await readFile(source));
  const parent = join(CHECKOUT, '.lockstep', 'test-functions');
  const root = join(parent, hash.digest('hex').slice(0, 16));
  try {
    await readFile(join(root, 'function'));
    return root;
  } catch {
    // Not built yet.
  }
  await mkdir(parent, { recursive: true });
  const work = await mkdtemp(join(parent, 'new-'));
  try {
    const [main = '', guest = '', module = ''] = SOURCES;
    await copyFile(main, join(work, 'main.go'));
    await copyFile(guest, join(work, 'guest_linux.go'));
    await copyFile(module, join(work, 'go.mod'));
    for (const folder of ['proc', 'dev', 'sys', 'tmp', 'etc']) await mkdir(join(work, folder));
    await compileGo({
      goPath: go.path,
      sourceFolder: work,
      outputPath: join(work, 'function'),
      buildCacheFolder: join(CHECKOUT, '.tools', 'go-build-cache'),
    });
    // The folder must serve every user, as that of a published function does.
    await chmod(work, 0o755);
    await rename(work, root);
  } catch (error) {
    // Another process may have been faster with the same sources.
    if ((error as NodeJS.ErrnoException).code !== 'ENOTEMPTY') throw error;
  } finally {
    await rm(work, { recursive: true, force: true });
  }
  return root;
}

/** The function with one kind of misbehaviour. */
export function misbehaving(folder: string, how: Misbehaviour): FunctionRoot {
  const digest = createHash('sha256').update(`${folder} ${how}`).digest('hex');
  return {
    digest: `sha256:${digest}`,
    folder,
    manifest: {
      protocol: 1,
      kind: 'function',
      name: `misbehave-${how}`,
      architecture: Architecture.parse(process.arch),
      files: [],
      entry: ['{root}/function', how],
      staticBinary: true,
      toolchain: {},
    },
  };
}
