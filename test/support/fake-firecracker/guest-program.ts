import { createHash } from 'node:crypto';
import { mkdir, readFile, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { compileGo } from '../../../provisioning/functions/go-compiler.ts';
import { readTools } from '../../../provisioning/functions/tools.ts';
import { LockstepError } from '../../../schemas/errors.ts';

const CHECKOUT = join(import.meta.dirname, '..', '..', '..');
const SOURCE_FOLDER = join(import.meta.dirname, 'guest');

/**
 * Compiles what stands for the guest of the fake, if its source changed. Returns its path.
 *
 * @throws LockstepError TOOL_MISSING if there is no Go compiler.
 */
export async function buildGuestProgram(): Promise<string> {
  const { go } = await readTools(join(CHECKOUT, '.tools', 'tools.json'));
  if (go === null) throw new LockstepError('TOOL_MISSING', 'there is no Go compiler');
  const source = await readFile(join(SOURCE_FOLDER, 'main.go'));
  const name = createHash('sha256').update(source).digest('hex').slice(0, 16);
  const folder = join(CHECKOUT, '.lockstep', 'test-functions');
  const file = join(folder, `fake-guest-${name}`);
  const isThere = await readFile(file).then(
    () => true,
    () => false,
  );
  if (isThere) return file;
  await mkdir(folder, { recursive: true });
  const part = `${file}.${process.pid}`;
  await compileGo({
    goPath: go.path,
    sourceFolder: SOURCE_FOLDER,
    outputPath: part,
    buildCacheFolder: join(CHECKOUT, '.tools', 'go-build-cache'),
  });
  await rename(part, file);
  return file;
}
