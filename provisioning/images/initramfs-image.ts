import { LockstepError } from '../../schemas/errors.ts';
import type { FunctionTree } from './function-tree.ts';
import { folderMode } from './function-tree.ts';

/** What the kernel opens before the first program: type, and major and minor number. */
const CONSOLE = { path: '/dev/console', mode: 0o020_600, device: [5, 1] } as const;
const FOLDER_BITS = 0o040_000;
const FILE_BITS = 0o100_000;
const HEADER_BYTES = 110;

interface Entry {
  readonly path: string;
  readonly mode: number;
  readonly content?: Buffer;
  readonly device?: readonly [major: number, minor: number];
}

/**
 * An initial RAM file system with the function and nothing else, an uncompressed cpio archive of
 * the "newc" form; the kernel's command line names the function in `rdinit=`.
 * Source: the kernel's Documentation/driver-api/early-userspace/buffer-format.rst.
 *
 * @throws LockstepError IMAGE_INVALID if the function's program is not a static one.
 */
export async function initramfsImage(tree: FunctionTree): Promise<Buffer> {
  const { name, staticBinary } = tree.manifest;
  if (!staticBinary) {
    throw new LockstepError('IMAGE_INVALID', `${name} is no static program`, {
      hint: 'A guest without a loader runs static programs only, such as hello-go.',
    });
  }
  const entries: Entry[] = tree.folders.map((path) => ({
    path,
    mode: FOLDER_BITS | folderMode(path),
  }));
  entries.push(CONSOLE);
  for (const file of tree.files) {
    entries.push({ path: file.path, mode: FILE_BITS | file.mode, content: await tree.read(file) });
  }
  const parts = entries.flatMap((entry, index) => entryParts(entry, index + 1));
  return Buffer.concat([...parts, ...entryParts({ path: '/TRAILER!!!', mode: 0 }, 0)]);
}

function entryParts({ path, mode, content, device = [0, 0] }: Entry, inode: number): Buffer[] {
  const name = Buffer.from(`${path.slice(1)}\0`);
  const body = content ?? Buffer.alloc(0);
  const links = (mode & FOLDER_BITS) === 0 ? 1 : 2;
  const numbers = [inode, mode, 0, 0, links, 0, body.length, 0, 0, ...device, name.length, 0];
  const words = numbers.map((value) => value.toString(16).toUpperCase().padStart(8, '0'));
  const head = Buffer.from(`070701${words.join('')}`);
  return [head, name, padding(HEADER_BYTES + name.length), body, padding(body.length)];
}

/** Everything begins at a multiple of four bytes. */
function padding(lengthBytes: number): Buffer {
  return Buffer.alloc(-lengthBytes & 3);
}
