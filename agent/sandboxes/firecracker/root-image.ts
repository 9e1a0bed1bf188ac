import { createHash } from 'node:crypto';
import { mkdir, readdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { LockstepError } from '../../../schemas/errors.ts';
import { runCommand } from '../command.ts';
import type { FunctionRoot } from '../function-root.ts';

const MIB = 1024 * 1024;
const BLOCK_BYTES = 4096;
// What the file system keeps of itself, and the folders and devices that are added.
const OVERHEAD_BYTES = 4 * MIB;
const TIMEOUT_MS = 60_000;

// As in an initial RAM file system: what the kernel opens before the first program, what programs
// take for granted, and where things are mounted.
const FOLDERS = ['dev', 'proc', 'sys', 'tmp'];
const DEVICES: readonly (readonly [name: string, major: number, minor: number])[] = [
  ['console', 5, 1],
  ['null', 1, 3],
  ['zero', 1, 5],
  ['random', 1, 8],
  ['urandom', 1, 9],
];

/**
 * Writes the files of a function as an ext4 image without a journal, to be mounted read-only as a
 * guest's root. Needs no right but to write there: the devices are put in by debugfs.
 *
 * @throws LockstepError TOOL_MISSING without e2fsprogs, SANDBOX_FAILED if they fail.
 */
export async function writeRootImage(functionRoot: FunctionRoot, file: string): Promise<void> {
  const part = `${file}.part`;
  const bytes = (await treeBytes(functionRoot.folder)) * 1.1 + OVERHEAD_BYTES;
  const uuid = uuidOf(functionRoot.digest);
  await mkdir(join(file, '..'), { recursive: true });
  await rm(part, { force: true });
  try {
    await runCommand(
      [
        // The same function gives the same image.
        ...['env', 'SOURCE_DATE_EPOCH=0', 'E2FSPROGS_FAKE_TIME=1'],
        ...['mke2fs', '-q', '-F', '-t', 'ext4', '-O', '^has_journal,^resize_inode'],
        ...['-b', String(BLOCK_BYTES), '-m', '0', '-U', uuid],
        ...['-E', `hash_seed=${uuid},root_owner=0:0`, '-d', functionRoot.folder],
        ...[part, String(Math.ceil(bytes / BLOCK_BYTES))],
      ],
      { timeoutMs: TIMEOUT_MS },
    );
    await addDevices(part);
    await rename(part, file);
  } finally {
    await rm(part, { force: true });
  }
}

async function addDevices(image: string): Promise<void> {
  const script = [
    ...FOLDERS.map((name) => `mkdir /${name}`),
    'cd /dev',
    ...DEVICES.map(([name, major, minor]) => `mknod ${name} c ${major} ${minor}`),
  ];
  const words = ['env', 'E2FSPROGS_FAKE_TIME=1', 'debugfs', '-w', '-f', '-', image];
  await runCommand(words, { input: `${script.join('\n')}\n`, timeoutMs: TIMEOUT_MS });
  // debugfs ends well whatever its commands did.
  const { stdout } = await runCommand(['debugfs', '-R', 'stat /dev/console', image]);
  if (/Type:\s*character special/.test(stdout)) return;
  throw new LockstepError('SANDBOX_FAILED', `${image} did not take the device /dev/console`, {
    hint: 'install e2fsprogs 1.46 or later',
  });
}

async function treeBytes(folder: string): Promise<number> {
  let bytes = 0;
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    const { size } = entry.isFile() ? await stat(join(entry.parentPath, entry.name)) : { size: 0 };
    bytes += Math.ceil((size + 1) / BLOCK_BYTES) * BLOCK_BYTES;
  }
  return bytes;
}

function uuidOf(digest: string): string {
  const hex = createHash('sha256').update(digest).digest('hex');
  const parts = [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20)];
  return [...parts, hex.slice(20, 32)].join('-');
}
