import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { ArtefactCache } from '../../../bus/artefact-cache.ts';
import { functionFor } from '../../../provisioning/images/function-builds.ts';
import { readTools } from '../../../provisioning/functions/tools.ts';
import { builtArtefacts } from '../../functions/running-function.ts';

const CHECKOUT = join(import.meta.dirname, '..', '..', '..');
/** Where an ELF file names its processor, and AArch64 there; source: elf(5). */
const MACHINE_OFFSET = 18;
const MACHINES = { x64: 62, arm64: 183 };

test('hello-go is built for the other processor, the same file each time', async (t) => {
  const tools = await readTools(join(CHECKOUT, '.tools', 'tools.json')).catch(() => undefined);
  const own = (await builtArtefacts.names())['hello-go'];
  if (!tools?.go || own === undefined) {
    t.log('skipped: no Go on this machine; run the set-up');
    t.pass();
    return;
  }
  const go = {
    goPath: tools.go.path,
    buildCacheFolder: join(CHECKOUT, '.tools', 'go-build-cache'),
  };
  const architecture = process.arch === 'arm64' ? 'x64' : 'arm64';
  const folder = await mkdtemp(join(tmpdir(), 'lockstep-test-'));
  try {
    const digests: string[] = [];
    for (const name of ['first', 'second']) {
      const cache = new ArtefactCache(join(folder, name));
      await cache.putManifest(await builtArtefacts.readManifest(own));
      await cache.setName('hello-go', own);
      const digest = await functionFor(cache, 'hello-go', { architecture, go });
      const manifest = await cache.readManifest(digest);
      t.is(manifest.architecture, architecture);
      t.is((await cache.names())[`hello-go-${architecture}`], digest);
      const program = await readFile(cache.blobPath(manifest.files[0]!.digest));
      t.is(program.readUInt16LE(MACHINE_OFFSET), MACHINES[architecture]);
      digests.push(digest);
    }
    t.is(digests[0], digests[1]);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});
