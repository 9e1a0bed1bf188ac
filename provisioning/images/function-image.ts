import { mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ArtefactCache } from '../../bus/artefact-cache.ts';
import { LockstepError } from '../../schemas/errors.ts';
import { digestOfFile } from './digest-lock.ts';
import { writeExt4Image } from './ext4-image.ts';
import type { FunctionTree } from './function-tree.ts';
import { readFunctionTree } from './function-tree.ts';
import { initramfsImage } from './initramfs-image.ts';
import { ociArchive, treeArchive } from './tar-image.ts';

/**
 * What sandboxes take a function as. tree: its files. oci: an image for container daemons.
 * initramfs, ext4: the root of a guest. code: the module or script itself.
 */
export type ImageForm = 'tree' | 'oci' | 'initramfs' | 'ext4' | 'code';

/** An image of a function, named by its content. */
export interface FunctionImage {
  readonly functionName: string;
  readonly architecture: string;
  readonly form: ImageForm;
  readonly digest: string;
  /** Below the images folder. */
  readonly place: string;
}

const ENDINGS: Record<ImageForm, string> = {
  tree: 'tar',
  oci: 'oci.tar',
  initramfs: 'cpio',
  ext4: 'ext4',
  code: 'code',
};

/**
 * Makes an image of a function and keeps it in the images folder, under its digest. The same
 * function gives the same digest.
 *
 * @throws LockstepError IMAGE_INVALID if the function can't have this form, ARTEFACT_MISSING,
 * TOOL_MISSING if a program that makes it is not installed.
 */
export async function makeFunctionImage(
  cache: ArtefactCache,
  functionDigest: string,
  form: ImageForm,
  imagesFolder: string,
): Promise<FunctionImage> {
  const tree = await readFunctionTree(cache, functionDigest);
  const folder = join(imagesFolder, 'functions');
  await mkdir(folder, { recursive: true });
  const work = await mkdtemp(join(folder, '.make-'));
  try {
    const draft = join(work, 'image');
    await write(tree, form, draft, work);
    const digest = await digestOfFile(draft);
    const { architecture, name } = tree.manifest;
    const hex = digest.slice('sha256:'.length);
    // A function for another processor has it in its name already.
    const base = name.endsWith(`-${architecture}`) ? name : `${name}-${architecture}`;
    const place = `functions/${base}-${hex.slice(0, 16)}.${ENDINGS[form]}`;
    await rename(draft, join(imagesFolder, place));
    return { functionName: name, architecture, form, digest, place };
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

async function write(
  tree: FunctionTree,
  form: ImageForm,
  file: string,
  workFolder: string,
): Promise<void> {
  const isCode = tree.manifest.form !== undefined;
  if (isCode !== (form === 'code')) {
    const what = tree.manifest.form ?? 'program';
    throw new LockstepError('IMAGE_INVALID', `${tree.manifest.name} is a ${what}: no ${form}`);
  }
  if (form === 'ext4') {
    await writeExt4Image(tree, file, workFolder);
    return;
  }
  await writeFile(file, await MAKERS[form](tree));
}

const MAKERS: Record<Exclude<ImageForm, 'ext4'>, (tree: FunctionTree) => Promise<Buffer>> = {
  tree: treeArchive,
  oci: ociArchive,
  initramfs: initramfsImage,
  code: async (tree) => {
    const [file] = tree.files;
    if (file === undefined || tree.files.length > 1) {
      throw new LockstepError('IMAGE_INVALID', `${tree.manifest.name} is not one file`);
    }
    return tree.read(file);
  },
};
