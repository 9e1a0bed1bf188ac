import { createHash } from 'node:crypto';
import { chmod, mkdir, mkdtemp, readFile, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { imageArchive, imageConfig, imageName } from '../../../agent/sandboxes/daemon-image.ts';
import type { FunctionRoot } from '../../../agent/sandboxes/function-root.ts';
import { runCommand } from '../../../agent/sandboxes/command.ts';

const DIGEST = `sha256:${'ab'.repeat(32)}`;

async function archive(parent: string, atSeconds: number): Promise<Buffer> {
  const root = join(parent, `root-${atSeconds}`);
  const work = join(parent, `work-${atSeconds}`);
  await mkdir(join(root, 'data'), { recursive: true });
  await mkdir(work);
  const names = ['data/b', 'data/a', 'function'];
  for (const name of atSeconds % 2 === 0 ? names : names.toReversed()) {
    await writeFile(join(root, name), name);
    await chmod(join(root, name), 0o755);
    await utimes(join(root, name), atSeconds, atSeconds);
  }
  const functionRoot = { digest: DIGEST, folder: root, manifest: { architecture: 'arm64' } };
  await imageArchive(functionRoot as FunctionRoot, imageName(DIGEST), work);
  return readFile(join(work, 'image.tar'));
}

test('imageArchive makes the same bytes of the same files, whatever their times', async (t) => {
  const parent = await mkdtemp(join(tmpdir(), 'lockstep-image-'));
  try {
    const [one, other] = [await archive(parent, 1000), await archive(parent, 2001)];
    t.true(one.equals(other));
    await writeFile(join(parent, 'one.tar'), one);
    await runCommand(['tar', '--extract', '--file', join(parent, 'one.tar'), '-C', parent]);
    const manifest = JSON.parse(await readFile(join(parent, 'manifest.json'), 'utf8')) as unknown;
    t.deepEqual(manifest, [
      { Config: 'config.json', RepoTags: [imageName(DIGEST)], Layers: ['layer.tar'] },
    ]);
    const layer = await readFile(join(parent, 'layer.tar'));
    const sha256 = createHash('sha256').update(layer).digest('hex');
    t.is(await readFile(join(parent, 'config.json'), 'utf8'), imageConfig('arm64', sha256));
  } finally {
    await rm(parent, { recursive: true, force: true });
  }
});

test('imageName is a name that no registry can be asked for', (t) => {
  t.is(imageName(DIGEST), `localhost/lockstep:sha256-${'ab'.repeat(32)}`);
});
