import { randomUUID } from 'node:crypto';
import { open, rename, rm, truncate } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { isMissing } from './regular-file.ts';

const CHUNK_BYTES = 64 * 1024;
const LINE_END = 0x0a;

/** Replaces a file as a whole: readers see the old content or the new one, also after a crash. */
export async function replaceFile(path: string, text: string): Promise<void> {
  const temporary = join(dirname(path), `.${randomUUID()}.tmp`);
  const file = await open(temporary, 'w', 0o644);
  try {
    await file.writeFile(text);
    await file.sync();
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  } finally {
    await file.close();
  }
  await rename(temporary, path);
}

/** Cuts off what follows the last line end of a file. Does nothing where there is no file. */
export async function cutTornLine(path: string): Promise<void> {
  let file: FileHandle;
  try {
    file = await open(path, 'r');
  } catch (error) {
    if (isMissing(error)) return;
    throw error;
  }
  let keepBytes: number;
  let sizeBytes: number;
  try {
    sizeBytes = (await file.stat()).size;
    keepBytes = await bytesOfWholeLines(file, sizeBytes);
  } finally {
    await file.close();
  }
  if (keepBytes !== sizeBytes) await truncate(path, keepBytes);
}

/** Looks for the last line end from the end of the file backwards. */
async function bytesOfWholeLines(file: FileHandle, sizeBytes: number): Promise<number> {
  const buffer = Buffer.alloc(CHUNK_BYTES);
  for (let end = sizeBytes; end > 0;) {
    const start = Math.max(0, end - CHUNK_BYTES);
    const { bytesRead } = await file.read(buffer, 0, end - start, start);
    const last = buffer.subarray(0, bytesRead).lastIndexOf(LINE_END);
    if (last !== -1) return start + last + 1;
    end = start;
  }
  return 0;
}
