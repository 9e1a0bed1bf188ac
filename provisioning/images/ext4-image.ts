import { createHash } from 'node:crypto';
import { mkdir, open, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { runProgram } from '../functions/external-program.ts';
import type { FunctionTree } from './function-tree.ts';
import { folderMode } from './function-tree.ts';

const BLOCK_BYTES = 4096;
/** What the file system keeps for itself, and room to write. */
const OVERHEAD_BYTES = 16 * 1024 * 1024;
const OVERHEAD_FACTOR = 1.05;
const TIMEOUT_MS = 120_000;
/** Second of 1970 that every time in an image is. */
const SECOND = 1;
/** Times of the last write in the superblock; see the kernel's Documentation/filesystems/ext4. */
const WRITTEN_AT_OFFSETS = [1024 + 0x30];

/** What the kernel opens before the first program. */
const CONSOLE = '/dev/console';
const DEVICE_SCRIPT = 'cd /dev\nmknod console c 5 1\ncd /\n';

/**
 * Writes the files of a function as an ext4 file system without a journal. The bytes depend on the
 * function and on the release of e2fsprogs only. No right is needed, and nothing is mounted.
 *
 * @param workFolder an empty folder; what is in it afterwards may be removed.
 * @throws LockstepError TOOL_MISSING without e2fsprogs, INTERNAL with what they said.
 */
export async function writeExt4Image(
  tree: FunctionTree,
  file: string,
  workFolder: string,
): Promise<void> {
  const root = join(workFolder, 'root');
  await layOut(tree, root);
  const uuid = uuidOf(tree);
  const blocks = Math.ceil((OVERHEAD_FACTOR * sizeOf(tree) + OVERHEAD_BYTES) / BLOCK_BYTES);
  await rm(file, { force: true });
  await run('mke2fs', [
    ...['-q', '-F', '-t', 'ext4', '-b', String(BLOCK_BYTES), '-m', '0', '-U', uuid],
    // Checksums and finer times could not be set to what they shall be.
    ...['-I', '128', '-O', '^has_journal,^metadata_csum,^resize_inode'],
    ...['-E', `hash_seed=${uuid},root_owner=0:0`, '-d', root, file, String(blocks)],
  ]);
  const script = join(workFolder, 'debugfs-script');
  await writeFile(script, `${DEVICE_SCRIPT}${timeScript(tree)}`);
  await run('debugfs', ['-w', '-f', script, file]);
  await resetWrittenAt(file);
}

async function layOut(tree: FunctionTree, root: string): Promise<void> {
  for (const path of tree.folders) {
    await mkdir(join(root, path), { recursive: true, mode: folderMode(path) });
  }
  for (const file of tree.files) {
    await mkdir(dirname(join(root, file.path)), { recursive: true });
    await writeFile(join(root, file.path), await tree.read(file), { mode: file.mode });
  }
}

/** The commands that set owner, mode and times of everything: who made the image is not in it. */
function timeScript(tree: FunctionTree): string {
  const modes: [path: string, mode: number][] = [
    ['/', 0o040_755],
    ['/lost+found', 0o040_700],
    [CONSOLE, 0o020_600],
    ...tree.folders.map((path): [string, number] => [path, 0o040_000 | folderMode(path)]),
    ...tree.files.map(({ path, mode }): [string, number] => [path, 0o100_000 | mode]),
  ];
  const lines = modes.flatMap(([path, mode]) => [
    `sif ${path} mode 0${mode.toString(8)}`,
    ...['uid', 'gid'].map((field) => `sif ${path} ${field} 0`),
    ...['atime', 'ctime', 'mtime'].map((field) => `sif ${path} ${field} @${SECOND}`),
  ]);
  return `${lines.join('\n')}\n`;
}

async function resetWrittenAt(file: string): Promise<void> {
  const handle = await open(file, 'r+');
  try {
    const value = Buffer.alloc(4);
    value.writeUInt32LE(SECOND);
    for (const offset of WRITTEN_AT_OFFSETS) await handle.write(value, 0, value.length, offset);
  } finally {
    await handle.close();
  }
}

async function run(program: string, words: readonly string[]): Promise<void> {
  const environment = {
    PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
    LC_ALL: 'C',
    E2FSPROGS_FAKE_TIME: String(SECOND),
    SOURCE_DATE_EPOCH: String(SECOND),
    // The user's own configuration of new file systems is not to be in it.
    MKE2FS_CONFIG: '/dev/null',
  };
  await runProgram(program, words, { timeoutMs: TIMEOUT_MS, environment });
}

function sizeOf(tree: FunctionTree): number {
  const blocks = tree.files.map(({ sizeBytes }) => Math.ceil(sizeBytes / BLOCK_BYTES));
  return BLOCK_BYTES * blocks.reduce((sum, count) => sum + count, tree.folders.length);
}

function uuidOf(tree: FunctionTree): string {
  const text = JSON.stringify(tree.files.map(({ path, digest }) => [path, digest]));
  const hex = createHash('sha256').update(text).digest('hex');
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20)]
    .concat(hex.slice(20, 32))
    .join('-');
}
