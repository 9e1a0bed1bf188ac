import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import type { Architecture } from '../../schemas/artefact.ts';
import { runCommand } from './command.ts';
import { DAEMON_FOLDER } from './daemon-process.ts';
import type { DaemonProcess } from './daemon-process.ts';
import type { FunctionRoot } from './function-root.ts';

const TAR_TIMEOUT_MS = 120_000;

// The order and everything else that the device could put into an archive is fixed.
const SAME_BYTES = [
  ...['--sort=name', '--mtime=@0', '--owner=0', '--group=0', '--numeric-owner', '--format=gnu'],
];

/** The name of a function's image, the same for every daemon. */
export function imageName(digest: string): string {
  return `localhost/lockstep:${digest.replaceAll(/[^a-z0-9]/g, '-')}`;
}

/** Uses of {@link imageArchive} go on with the folder inside of the daemon's mount namespace. */
export type ImportImage = (archive: string) => Promise<unknown>;

const imported = new WeakMap<DaemonProcess, Map<string, Promise<string>>>();

/**
 * The name of a function's image, which is imported if this daemon has not got it.
 *
 * @param importImage is given the path of the archive inside of the daemon's mount namespace.
 */
export async function imageOf(
  daemon: DaemonProcess,
  functionRoot: FunctionRoot,
  importImage: ImportImage,
): Promise<string> {
  const images = imported.get(daemon) ?? new Map<string, Promise<string>>();
  imported.set(daemon, images);
  const { digest } = functionRoot;
  let image = images.get(digest);
  if (image === undefined) {
    image = importOnce(daemon, functionRoot, importImage);
    images.set(digest, image);
    // What failed is tried again.
    image.catch(() => images.delete(digest));
  }
  return image;
}

async function importOnce(
  daemon: DaemonProcess,
  functionRoot: FunctionRoot,
  importImage: ImportImage,
): Promise<string> {
  const name = imageName(functionRoot.digest);
  const folder = `${DAEMON_FOLDER}/${name.replaceAll(/[/:]/g, '-')}`;
  try {
    await mkdir(daemon.inside(folder), { recursive: true });
    await imageArchive(functionRoot, name, daemon.inside(folder));
    await importImage(`${folder}/image.tar`);
    return name;
  } finally {
    await rm(daemon.inside(folder), { recursive: true, force: true });
  }
}

/**
 * Makes the archive of an image with one layer, `image.tar` in the folder, which Docker, podman
 * and containerd read. Its bytes depend on the function's files alone, so the image's id does.
 * Source: the combined image JSON format, moby/image-spec v1.2.
 */
export async function imageArchive(
  functionRoot: FunctionRoot,
  name: string,
  folder: string,
): Promise<void> {
  const layer = join(folder, 'layer.tar');
  await tar(layer, functionRoot.folder, ['.']);
  const config = imageConfig(functionRoot.manifest.architecture, await sha256Of(layer));
  await writeFile(join(folder, 'config.json'), config);
  const manifest = [{ Config: 'config.json', RepoTags: [name], Layers: ['layer.tar'] }];
  await writeFile(join(folder, 'manifest.json'), JSON.stringify(manifest));
  const parts = ['config.json', 'layer.tar', 'manifest.json'];
  await tar(join(folder, 'image.tar'), folder, parts);
}

/** The configuration of an image with one layer; its SHA-256 is the image's id. */
export function imageConfig(architecture: Architecture, layerSha256: string): string {
  return JSON.stringify({
    architecture: architecture === 'x64' ? 'amd64' : 'arm64',
    os: 'linux',
    created: '1970-01-01T00:00:00Z',
    config: {},
    rootfs: { type: 'layers', diff_ids: [`sha256:${layerSha256}`] },
  });
}

async function tar(file: string, folder: string, names: readonly string[]): Promise<void> {
  const command = ['tar', '--create', '--file', file, '--directory', folder, ...SAME_BYTES];
  await runCommand([...command, '--', ...names], { timeoutMs: TAR_TIMEOUT_MS });
}

async function sha256Of(file: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(file), hash);
  return hash.digest('hex');
}
