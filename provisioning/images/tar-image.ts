import { createHash } from 'node:crypto';
import { buffer } from 'node:stream/consumers';
import { pack } from 'tar-stream';
import { canonicalJson } from '../../bus/canonical-json.ts';
import type { FunctionTree } from './function-tree.ts';
import { folderMode } from './function-tree.ts';

interface TarFile {
  readonly name: string;
  readonly content: Buffer;
  readonly mode?: number;
}

/** Root of a function's files as a tar archive: of nobody's time and owned by root. */
export async function treeArchive(tree: FunctionTree): Promise<Buffer> {
  const files = [];
  for (const file of tree.files) {
    files.push({ name: file.path.slice(1), content: await tree.read(file), mode: file.mode });
  }
  return tar(files, tree.folders);
}

/**
 * An image with one layer in the layout that docker, podman and containerd load.
 * Source: OCI Image Format Specification 1.0, image-layout.md, manifest.md and config.md.
 */
export async function ociArchive(tree: FunctionTree): Promise<Buffer> {
  const { architecture, entry, name } = tree.manifest;
  const layer = await treeArchive(tree);
  const config = Buffer.from(
    canonicalJson({
      architecture: architecture === 'x64' ? 'amd64' : 'arm64',
      os: 'linux',
      config: { Entrypoint: entry.map((word) => word.replaceAll('{root}', '')) },
      rootfs: { type: 'layers', diff_ids: [digestOf(layer)] },
    }),
  );
  const manifest = Buffer.from(
    canonicalJson({
      schemaVersion: 2,
      mediaType: 'application/vnd.oci.image.manifest.v1+json',
      config: described('application/vnd.oci.image.config.v1+json', config),
      layers: [described('application/vnd.oci.image.layer.v1.tar', layer)],
    }),
  );
  const index = canonicalJson({
    schemaVersion: 2,
    manifests: [
      {
        ...described('application/vnd.oci.image.manifest.v1+json', manifest),
        annotations: { 'org.opencontainers.image.ref.name': `localhost/lockstep/${name}` },
      },
    ],
  });
  const blobs = [layer, config, manifest]
    .map((content) => ({ name: `blobs/sha256/${digestOf(content).slice(7)}`, content }))
    .toSorted((left, right) => (left.name < right.name ? -1 : 1));
  return tar(
    [
      ...blobs,
      { name: 'index.json', content: Buffer.from(index) },
      { name: 'oci-layout', content: Buffer.from('{"imageLayoutVersion":"1.0.0"}') },
    ],
    ['/blobs', '/blobs/sha256'],
  );
}

async function tar(files: readonly TarFile[], folders: readonly string[]): Promise<Buffer> {
  const archive = pack();
  const whole = buffer(archive);
  const common = { uid: 0, gid: 0, mtime: new Date(0) };
  for (const path of folders) {
    archive.entry({
      ...common,
      ...{ name: `${path.slice(1)}/`, type: 'directory', mode: folderMode(path) },
    });
  }
  for (const { name, content, mode = 0o444 } of files) {
    archive.entry({ ...common, name, mode }, content);
  }
  archive.finalize();
  return whole;
}

function described(mediaType: string, content: Buffer) {
  return { mediaType, digest: digestOf(content), size: content.length };
}

function digestOf(content: Buffer): string {
  return `sha256:${createHash('sha256').update(content).digest('hex')}`;
}
