import { randomBytes } from 'node:crypto';
import { open, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { syncFolder } from '../../bus/sync-folder.ts';
import { SIGNALS } from '../payload.ts';
import type { Payload, Signal } from '../payload.ts';

/** What the name of a file in a spool says. */
export interface SpoolName {
  /** Its place in the order, from 1. */
  readonly sequence: number;
  readonly signal: Signal;
  readonly items: number;
  /** CRC-32 of the content. */
  readonly checksum: number;
  /** Tells it from all other files, also those of other devices and of emptied spools. */
  readonly random: string;
}

const NAME = /^(\d{15})-([a-z]+)-(\d{1,10})-([0-9a-f]{8})-([0-9a-f]{16})\.otlp$/;

/** What a file is called until it is whole. */
export const UNFINISHED_SUFFIX = '.new';

/** The name of a new file. */
export function newSpoolName(sequence: number, { signal, items, bytes }: Payload): SpoolName {
  const random = randomBytes(8).toString('hex');
  return { sequence, signal, items, checksum: crc32(bytes), random };
}

/** The name as text: files sort by their place in the order. */
export function formatSpoolName(name: SpoolName): string {
  const sequence = String(name.sequence).padStart(15, '0');
  const checksum = name.checksum.toString(16).padStart(8, '0');
  return `${sequence}-${name.signal}-${name.items}-${checksum}-${name.random}.otlp`;
}

/** The name from text. Undefined if it is no file of a spool. */
export function parseSpoolName(text: string): SpoolName | undefined {
  const match = NAME.exec(text);
  const signal = SIGNALS.find((known) => known === match?.[2]);
  if (match === null || signal === undefined) return undefined;
  return {
    sequence: Number(match[1]),
    signal,
    items: Number(match[3]),
    checksum: Number.parseInt(match[4] ?? '', 16),
    random: match[5] ?? '',
  };
}

/** Writes a file that appears whole or not at all; resolves when it would survive a power cut. */
export async function writeSpoolFile(
  folder: string,
  name: string,
  bytes: Uint8Array,
): Promise<void> {
  const target = join(folder, name);
  const unfinished = `${target}${UNFINISHED_SUFFIX}`;
  try {
    const file = await open(unfinished, 'w', 0o600);
    try {
      await file.writeFile(bytes);
      await file.datasync();
    } finally {
      await file.close();
    }
    await rename(unfinished, target);
    await syncFolder(folder);
  } catch (error) {
    // Neither of the two may be sent: it counts as lost.
    await rm(unfinished, { force: true }).catch(() => undefined);
    await rm(target, { force: true }).catch(() => undefined);
    throw error;
  }
}

/** The content of a file. Undefined if it is gone or not what was written. */
export async function readSpoolFile(
  folder: string,
  name: SpoolName,
): Promise<Uint8Array | undefined> {
  let bytes: Buffer;
  try {
    bytes = await readFile(join(folder, formatSpoolName(name)));
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
  return crc32(bytes) === name.checksum ? bytes : undefined;
}
