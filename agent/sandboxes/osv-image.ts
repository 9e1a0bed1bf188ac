import { mkdir, open, readFile, rename } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { FunctionRoot } from './function-root.ts';
import { functionBinary, functionCommand } from './function-root.ts';

/** Something in a read-only file system of OSv. */
export type ReadOnlyEntry =
  | { readonly kind: 'folder'; readonly path: string }
  | { readonly kind: 'file'; readonly path: string; readonly content: Uint8Array };

const BLOCK_BYTES = 512;
const MAGIC = 0xdead_beadn;
const VERSION = 1n;
const INODE_BYTES = 32;
const MODES = { folder: 0x4000n, file: 0x8000n } as const;

/** What is mounted over the image; without it a program has no devices and no place to write. */
const MOUNTS = [
  'none /dev devfs defaults 0 0',
  'none /proc procfs defaults 0 0',
  'none /sys sysfs defaults 0 0',
  'none /tmp ramfs defaults 0 0',
  '',
].join('\n');

const FOLDERS = ['/dev', '/etc', '/proc', '/sys', '/tmp'];

/** The raw disks of a runner's OSv guests, which only read them: one for each function. */
export class OsvDisks {
  readonly #folder: string;
  readonly #files = new Map<string, Promise<string>>();

  /** @param folder where to keep them; on the runner's private tmpfs. */
  constructor(folder: string) {
    this.#folder = folder;
  }

  /** The disk with a function and its files. */
  forFunction(functionRoot: FunctionRoot): Promise<string> {
    const { digest } = functionRoot;
    const known = this.#files.get(digest);
    if (known !== undefined) return known;
    const file = this.#write(functionRoot);
    this.#files.set(digest, file);
    // A failure is for who asked; the next one may have more luck.
    file.catch(() => this.#files.delete(digest));
    return file;
  }

  async #write(functionRoot: FunctionRoot): Promise<string> {
    const file = join(this.#folder, `${functionRoot.digest.replace(/^sha256:/, '')}.osv`);
    await mkdir(this.#folder, { recursive: true });
    await writeOsvDisk(functionRoot, file);
    return file;
  }
}

/** Writes a raw disk with the function's files on the partition that OSv looks for its root on. */
export async function writeOsvDisk(functionRoot: FunctionRoot, file: string): Promise<void> {
  const content = writeReadOnlyFileSystem(await entriesOf(functionRoot));
  const handle = await open(`${file}.part`, 'w');
  try {
    await handle.write(partitionTable(content.length / BLOCK_BYTES));
    await handle.write(content);
  } finally {
    await handle.close();
  }
  await rename(`${file}.part`, file);
}

async function entriesOf(functionRoot: FunctionRoot): Promise<ReadOnlyEntry[]> {
  const program = functionCommand(functionRoot, '')[0] ?? '';
  const paths = functionRoot.manifest.files.map(({ path }) => path);
  const files: ReadOnlyEntry[] = [
    { kind: 'file', path: '/etc/fstab', content: Buffer.from(MOUNTS) },
    { kind: 'file', path: program, content: await readFile(functionBinary(functionRoot)) },
  ];
  for (const path of paths.filter((one) => one !== program)) {
    const content = await readFile(join(functionRoot.folder, path));
    files.push({ kind: 'file', path, content });
  }
  return [...FOLDERS.map((path) => ({ kind: 'folder', path }) as const), ...files];
}

/** The first sector: the second place in its table is the partition `vblk0.1`. */
function partitionTable(sectors: number): Buffer {
  const sector = Buffer.alloc(BLOCK_BYTES);
  const place = 0x1be + 16;
  // A place whose first sector is 0 is passed over.
  sector[place + 2] = 2;
  sector[place + 4] = 0x83;
  sector.writeUInt32LE(1, place + 8);
  sector.writeUInt32LE(sectors, place + 12);
  sector[0x1fe] = 0x55;
  sector[0x1ff] = 0xaa;
  return sector;
}

interface Inode {
  readonly mode: bigint;
  /** First block of a file, or index of a folder's first entry. */
  offset: number;
  /** Bytes of a file, or entries of a folder. */
  count: number;
}

/**
 * Writes a read-only file system of OSv (ROFS, version 1): a block that says where things are, the
 * files, each from a block's beginning, then all folder entries and all inodes. Folders that are
 * only named by what is in them are made. The bytes depend on the entries only.
 */
export function writeReadOnlyFileSystem(entries: readonly ReadOnlyEntry[]): Buffer {
  const tree = treeOf(entries);
  const inodes: Inode[] = [];
  const numbers = new Map<string, number>();
  const contents: Buffer[] = [];
  let block = 1;
  for (const [path, content] of tree) {
    const isFile = content !== undefined;
    inodes.push({
      mode: isFile ? MODES.file : MODES.folder,
      offset: isFile ? block : 0,
      count: isFile ? content.length : 0,
    });
    numbers.set(path, inodes.length);
    if (!isFile) continue;
    const padded = padToBlock(content);
    contents.push(padded);
    block += padded.length / BLOCK_BYTES;
  }
  const names = folderEntries(tree, inodes, numbers);
  const structure = padToBlock(
    Buffer.concat([...names, ...inodes.map((inode, index) => inodeBytes(inode, index + 1))]),
  );
  const superBlock = padToBlock(
    numbersBytes([
      ...[MAGIC, VERSION, BigInt(BLOCK_BYTES)],
      ...[block, structure.length / BLOCK_BYTES].map((value) => BigInt(value)),
      // There are no symbolic links.
      ...[names.length, 0, inodes.length].map((value) => BigInt(value)),
    ]),
  );
  return Buffer.concat([superBlock, ...contents, structure]);
}

/** All folders and files by path, the root first; the value of a folder is undefined. */
function treeOf(entries: readonly ReadOnlyEntry[]): Map<string, Uint8Array | undefined> {
  const tree = new Map<string, Uint8Array | undefined>([['/', undefined]]);
  for (const entry of entries) {
    const parents: string[] = [];
    for (let path = dirname(entry.path); path !== '/'; path = dirname(path)) parents.push(path);
    for (const path of parents.toReversed()) tree.set(path, undefined);
    tree.set(entry.path, entry.kind === 'file' ? entry.content : undefined);
  }
  return tree;
}

/** The entries of all folders, those of one folder together; notes in its inode where. */
function folderEntries(
  tree: ReadonlyMap<string, Uint8Array | undefined>,
  inodes: readonly Inode[],
  numbers: ReadonlyMap<string, number>,
): Buffer[] {
  const entries: Buffer[] = [];
  for (const [folder, content] of tree) {
    const inode = inodes[(numbers.get(folder) ?? 0) - 1];
    if (content !== undefined || inode === undefined) continue;
    inode.offset = entries.length;
    for (const [path, number] of numbers) {
      if (path === '/' || dirname(path) !== folder) continue;
      const name = Buffer.from(path.slice(path.lastIndexOf('/') + 1));
      const length = Buffer.alloc(2);
      length.writeUInt16LE(name.length);
      entries.push(Buffer.concat([numbersBytes([BigInt(number)]), length, name]));
    }
    inode.count = entries.length - inode.offset;
  }
  return entries;
}

function inodeBytes({ count, mode, offset }: Inode, number: number): Buffer {
  const bytes = numbersBytes([mode, BigInt(number), BigInt(offset), BigInt(count)]);
  if (bytes.length !== INODE_BYTES) throw new Error('an inode has another size');
  return bytes;
}

function numbersBytes(values: readonly bigint[]): Buffer {
  const buffer = Buffer.alloc(values.length * 8);
  values.forEach((value, index) => buffer.writeBigUInt64LE(value, index * 8));
  return buffer;
}

function padToBlock(content: Uint8Array): Buffer {
  const buffer = Buffer.alloc(Math.ceil(content.length / BLOCK_BYTES) * BLOCK_BYTES);
  buffer.set(content);
  return buffer;
}
