import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { writeArchives } from '../../../provisioning/functions/study-go.ts';
import { readTools } from '../../../provisioning/functions/tools.ts';
import { builtArtefacts } from '../../functions/running-function.ts';

const CHECKOUT = join(import.meta.dirname, '..', '..', '..');

test('the archives are the same, byte for byte, whenever they are written', async (t) => {
  const tools = await readTools(join(CHECKOUT, '.tools', 'tools.json')).catch(() => undefined);
  const { 'study-go': study } = await builtArtefacts.names();
  if (!tools?.go || study === undefined) {
    t.log('skipped: no Go on this machine; run the set-up');
    t.pass();
    return;
  }
  const go = { goPath: tools.go.path, buildCacheFolder: join(CHECKOUT, '.tools/go-build-cache') };
  const { files } = await builtArtefacts.readManifest(study);
  const folder = await mkdtemp(join(tmpdir(), 'lockstep-test-'));
  try {
    const digests = (await writeArchives(go, folder)).map((path) => {
      return `sha256:${createHash('sha256').update(readFileSync(path)).digest('hex')}`;
    });
    t.deepEqual(
      digests,
      files.slice(0, 2).map(({ digest }) => digest),
    );
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});
