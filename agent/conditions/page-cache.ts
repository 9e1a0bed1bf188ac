import { stat, statfs } from 'node:fs/promises';
import { runCommand } from '../sandboxes/command.ts';

/** The state that files are wanted in; see the procedure `startup`. */
export type PageCacheState = 'as-is' | 'cached' | 'evicted';

/** How much of a file is in the page cache. */
export interface FileResidency {
  readonly file: string;
  readonly sizeBytes: number;
  /** In whole pages, so it may be more than the size. */
  readonly residentBytes: number;
}

/** Files that are given to one command, at most. */
const FILES_PER_COMMAND = 64;
const COMMANDS_AT_ONCE = 4;
const SYNC_TIMEOUT_MS = 30_000;
const READ_TIMEOUT_MS = 30_000;
const RESIDENCY_TIMEOUT_MS = 5000;

/** File systems whose files are nowhere but in memory: tmpfs and ramfs, statfs(2). */
const MEMORY_FILE_SYSTEMS: readonly number[] = [0x0102_1994, 0x8584_58f6];

/**
 * Brings files into a state of the page cache. Evicted: their file systems are synced first,
 * because pages that are not on the disk yet can't be dropped, then the kernel is advised to drop
 * them (posix_fadvise(2), POSIX_FADV_DONTNEED, as `dd` of coreutils gives it). Cached: they are
 * read once. Whether it came about must be read back.
 *
 * @throws LockstepError TOOL_MISSING or SANDBOX_FAILED from the commands, DEADLINE_EXCEEDED.
 */
export async function setPageCache(state: PageCacheState, files: readonly string[]): Promise<void> {
  if (state === 'as-is' || files.length === 0) return;
  if (state === 'cached') {
    await forEach(files, ['of=/dev/null', 'bs=1M']);
    return;
  }
  for (const file of await oneOfEachFileSystem(files)) {
    await runCommand(['sync', '--file-system', '--', file], { timeoutMs: SYNC_TIMEOUT_MS });
  }
  await forEach(files, ['iflag=nocache', 'count=0']);
}

/**
 * Reads how much of each file is in the page cache, without touching a page: `fincore` of
 * util-linux, which asks mincore(2).
 *
 * @throws LockstepError TOOL_MISSING, SANDBOX_FAILED or DEADLINE_EXCEEDED.
 */
export async function readResidency(files: readonly string[]): Promise<FileResidency[]> {
  const found: FileResidency[] = [];
  for (let begin = 0; begin < files.length; begin += FILES_PER_COMMAND) {
    const some = files.slice(begin, begin + FILES_PER_COMMAND);
    const columns = ['--bytes', '--noheadings', '--raw', '--output', 'RES,SIZE'];
    const { stdout } = await runCommand(['fincore', ...columns, '--', ...some], {
      timeoutMs: RESIDENCY_TIMEOUT_MS,
    });
    found.push(...parseResidency(stdout, some));
  }
  return found;
}

/** Parses a line of resident bytes and size for each of the files. Throws if one is missing. */
export function parseResidency(text: string, files: readonly string[]): FileResidency[] {
  const lines = text.split('\n').filter((line) => line.trim() !== '');
  if (lines.length !== files.length) {
    throw new Error(`fincore told ${lines.length} files of ${files.length}`);
  }
  return files.map((file, place) => {
    const [resident = '', size = ''] = (lines[place] ?? '').trim().split(/\s+/);
    if (!/^\d+$/.test(resident) || !/^\d+$/.test(size)) {
      throw new Error(`fincore told '${lines[place] ?? ''}' of ${file}`);
    }
    return { file, sizeBytes: Number(size), residentBytes: Number(resident) };
  });
}

/** The files that can't be evicted, because they are on a file system in memory. */
export async function findInMemoryOnly(files: readonly string[]): Promise<string[]> {
  const found: string[] = [];
  for (const file of files) {
    const { type } = await statfs(file);
    if (MEMORY_FILE_SYSTEMS.includes(type)) found.push(file);
  }
  return found;
}

/** Sums it up: `0 of 5242880 bytes of 3 files`. */
export function describeResidency(files: readonly FileResidency[]): string {
  const resident = files.reduce((sum, file) => sum + residentPart(file), 0);
  const size = files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  return `${resident} of ${size} bytes of ${files.length} ${files.length === 1 ? 'file' : 'files'}`;
}

/**
 * Compares what was read back before the start with the state that is wanted. Returns what is
 * outside of it, or undefined.
 */
export function mistakeBefore(
  state: PageCacheState,
  files: readonly FileResidency[],
): string | undefined {
  if (state === 'as-is') return undefined;
  if (files.length === 0) return 'there is no file whose state could be set';
  const outside = files.filter((file) =>
    state === 'evicted' ? file.residentBytes > 0 : residentPart(file) < file.sizeBytes,
  );
  if (outside.length === 0) return undefined;
  const seen = describeResidency(files);
  return `before the start, wanted ${state}: ${seen} in memory${named(outside)}`;
}

/**
 * The same after the trial. What was cached must still be, but for single pages that the kernel may
 * have taken back; of what was evicted, something must have been read: otherwise the sandbox used
 * other files.
 */
export function mistakeAfter(
  state: PageCacheState,
  files: readonly FileResidency[],
): string | undefined {
  if (state === 'as-is' || files.length === 0) return undefined;
  if (state === 'cached') {
    const outside = files.filter((file) => residentPart(file) < file.sizeBytes);
    const sizeBytes = files.reduce((sum, file) => sum + file.sizeBytes, 0);
    const residentBytes = files.reduce((sum, file) => sum + residentPart(file), 0);
    if (residentBytes >= sizeBytes * STILL_CACHED_SHARE) return undefined;
    const seen = describeResidency(files);
    return `after the trial, wanted cached: ${seen} in memory${named(outside)}`;
  }
  if (files.some(({ residentBytes }) => residentBytes > 0)) return undefined;
  return `after the trial nothing of the ${files.length} files evicted had been read`;
}

/** Of the bytes that were cached before. */
const STILL_CACHED_SHARE = 0.99;

function residentPart({ residentBytes, sizeBytes }: FileResidency): number {
  return Math.min(residentBytes, sizeBytes);
}

function named([first, ...others]: readonly FileResidency[]): string {
  if (first === undefined) return '';
  const more = others.length === 0 ? '' : ` and ${others.length} more`;
  return `; ${first.file} has ${first.residentBytes}${more}`;
}

async function forEach(files: readonly string[], words: readonly string[]): Promise<void> {
  for (let begin = 0; begin < files.length; begin += COMMANDS_AT_ONCE) {
    await Promise.all(
      files
        .slice(begin, begin + COMMANDS_AT_ONCE)
        .map((file) =>
          runCommand(['dd', `if=${file}`, ...words, 'status=none'], { timeoutMs: READ_TIMEOUT_MS }),
        ),
    );
  }
}

async function oneOfEachFileSystem(files: readonly string[]): Promise<string[]> {
  const byDevice = new Map<number, string>();
  for (const file of files) {
    const { dev } = await stat(file);
    if (!byDevice.has(dev)) byDevice.set(dev, file);
  }
  return [...byDevice.values()];
}
