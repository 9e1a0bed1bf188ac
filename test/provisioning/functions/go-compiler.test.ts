import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cp, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { ArtefactCache } from '../../../bus/artefact-cache.ts';
import { compileGo } from '../../../provisioning/functions/go-compiler.ts';
import { readTools } from '../../../provisioning/functions/tools.ts';

const CHECKOUT = join(import.meta.dirname, '..', '..', '..');
const SOURCE_FOLDER = join(CHECKOUT, 'provisioning', 'functions', 'go');
const ELF_TYPE_OFFSET = 16;
const ELF_TYPE_DYN = 3;
const SEGMENT_INTERPRETER = 3;

/** Types of the segments of a 64-bit little-endian ELF file; see elf(5). */
function segmentTypes(image: Buffer): number[] {
  const offset = Number(image.readBigUInt64LE(32));
  const size = image.readUInt16LE(54);
  const count = image.readUInt16LE(56);
  return Array.from({ length: count }, (_, i) => image.readUInt32LE(offset + i * size));
}

test('compileGo makes the same static-pie file in any folder', async (t) => {
  const tools = await readTools(join(CHECKOUT, '.tools', 'tools.json')).catch(() => undefined);
  if (!tools?.go) {
    t.log('skipped: no Go on this machine; run the set-up');
    t.pass();
    return;
  }
  const folder = await mkdtemp(join(tmpdir(), 'lockstep-test-'));
  try {
    const sourceFolder = join(folder, 'elsewhere');
    const outputPath = join(folder, 'function');
    await cp(SOURCE_FOLDER, sourceFolder, { recursive: true });
    const toolchain = await compileGo({
      goPath: tools.go.path,
      sourceFolder,
      outputPath,
      buildCacheFolder: join(CHECKOUT, '.tools', 'go-build-cache'),
    });
    const image = await readFile(outputPath);
    const cache = new ArtefactCache(join(CHECKOUT, '.lockstep', 'cache'));
    const manifest = await cache.readManifest((await cache.names())['hello-go'] ?? '');
    const digest = `sha256:${createHash('sha256').update(image).digest('hex')}`;
    t.is(manifest.files[0]?.digest, digest);
    t.is(spawnSync(outputPath, []).status, 2, 'it runs by itself');
    t.false(segmentTypes(image).includes(SEGMENT_INTERPRETER));
    if (toolchain['form'] === 'static-pie') {
      t.is(image.readUInt16LE(ELF_TYPE_OFFSET), ELF_TYPE_DYN);
    } else t.log('no C compiler: the file is static, but not position-independent');
    t.false(image.includes(folder), 'no path of the machine is in it');
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});
