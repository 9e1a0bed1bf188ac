import { createHash } from 'node:crypto';
import { mkdir, open, readdir, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Logger } from 'pino';
import { z } from 'zod';
import { errorMessageOf, LockstepError } from '../schemas/errors.ts';
import { syncFolder } from './sync-folder.ts';

/** A message on its way to a stream. */
export interface OutboxMessage {
  subject: string;
  /** The message id: the stream drops a second message with it. */
  id: string;
  bytes: Uint8Array;
}

/** A message on disk, without its bytes. */
export interface OutboxFile {
  /** Its place in the order, from 1. */
  sequence: number;
  sizeBytes: number;
}

const Header = z.object({
  version: z.literal(1),
  subject: z.string().min(1).max(512),
  id: z.string().min(1).max(512),
  sizeBytes: z.int().min(0),
  sha256: z.string().length(64),
});

const FILE_NAME = /^(\d{16})\.message$/;
const TEMPORARY_SUFFIX = '.new';
const SET_ASIDE_SUFFIX = '.bad';
const NEWLINE = 0x0a;

/**
 * A folder with one file per message: a line of JSON with subject, id, size and digest, then the
 * bytes. A file appears whole or not at all; one that is damaged or foreign is set aside.
 */
export class OutboxFolder {
  readonly #path: string;
  readonly #logger: Logger | undefined;

  constructor(path: string, logger?: Logger) {
    this.#path = path;
    this.#logger = logger;
  }

  /** Makes the folder and returns what it holds, in order. */
  async open(): Promise<OutboxFile[]> {
    const files: OutboxFile[] = [];
    try {
      await mkdir(this.#path, { recursive: true, mode: 0o700 });
      for (const name of (await readdir(this.#path)).sort()) {
        const file = await this.#recover(name);
        if (file !== undefined) files.push(file);
      }
    } catch (error) {
      throw storageError(error, `opening outbox ${this.#path}`);
    }
    return files;
  }

  /**
   * Writes a message; resolves when it would survive a power cut.
   *
   * @throws LockstepError STORAGE_FULL or STORAGE_FAILED
   */
  async write(sequence: number, message: OutboxMessage): Promise<void> {
    const target = this.#pathOf(sequence);
    const temporary = `${target}${TEMPORARY_SUFFIX}`;
    try {
      await writeSynced(temporary, encode(message));
      await rename(temporary, target);
      await syncFolder(this.#path);
    } catch (error) {
      await rm(temporary, { force: true }).catch(() => undefined);
      throw storageError(error, `writing message ${message.id} to outbox ${this.#path}`);
    }
  }

  /** Reads a message. Absent (undefined) if it was damaged: it is set aside then. */
  async read(sequence: number): Promise<OutboxMessage | undefined> {
    const path = this.#pathOf(sequence);
    let content: Buffer;
    try {
      content = await readFile(path);
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return undefined;
      throw storageError(error, `reading ${path}`);
    }
    try {
      return decode(content);
    } catch (error) {
      await this.setAside(sequence, errorMessageOf(error));
      return undefined;
    }
  }

  /** Removes a message that arrived. */
  async remove(sequence: number): Promise<void> {
    try {
      await rm(this.#pathOf(sequence), { force: true });
    } catch (error) {
      throw storageError(error, `removing message ${sequence} of outbox ${this.#path}`);
    }
  }

  /** Renames a message that can never arrive, so that it holds up no other. */
  async setAside(sequence: number, reason: string): Promise<void> {
    await this.#setAsidePath(this.#pathOf(sequence), reason);
  }

  async #recover(name: string): Promise<OutboxFile | undefined> {
    const path = join(this.#path, name);
    if (name.endsWith(SET_ASIDE_SUFFIX)) return undefined;
    if (name.endsWith(TEMPORARY_SUFFIX)) {
      // Its writer was never told that it is durable.
      await rm(path, { force: true });
      return undefined;
    }
    const sequence = Number(FILE_NAME.exec(name)?.[1]);
    if (!Number.isSafeInteger(sequence)) {
      await this.#setAsidePath(path, 'not a file of this outbox');
      return undefined;
    }
    const message = await this.read(sequence);
    return message === undefined ? undefined : { sequence, sizeBytes: message.bytes.byteLength };
  }

  async #setAsidePath(path: string, reason: string): Promise<void> {
    this.#logger?.error({ path, reason }, 'outbox file set aside');
    try {
      await rename(path, `${path}${SET_ASIDE_SUFFIX}`);
    } catch (error) {
      throw storageError(error, `setting ${path} aside`);
    }
  }

  #pathOf(sequence: number): string {
    return join(this.#path, `${String(sequence).padStart(16, '0')}.message`);
  }
}

function encode({ subject, id, bytes }: OutboxMessage): Buffer {
  const header = { version: 1, subject, id, sizeBytes: bytes.byteLength, sha256: sha256(bytes) };
  return Buffer.concat([Buffer.from(`${JSON.stringify(header)}\n`), bytes]);
}

function decode(content: Buffer): OutboxMessage {
  const end = content.indexOf(NEWLINE);
  if (end < 0) throw new Error('no header');
  const header = Header.parse(JSON.parse(content.toString('utf8', 0, end)));
  const bytes = content.subarray(end + 1);
  if (bytes.byteLength !== header.sizeBytes) {
    throw new Error(`${bytes.byteLength} of ${header.sizeBytes} bytes`);
  }
  if (sha256(bytes) !== header.sha256) throw new Error('digest differs');
  return { subject: header.subject, id: header.id, bytes };
}

async function writeSynced(path: string, content: Buffer): Promise<void> {
  const file = await open(path, 'w', 0o600);
  try {
    await file.writeFile(content);
    await file.sync();
  } finally {
    await file.close();
  }
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

function storageError(error: unknown, what: string): LockstepError {
  const code = codeOf(error);
  const isFull = code === 'ENOSPC' || code === 'EDQUOT';
  return new LockstepError(
    isFull ? 'STORAGE_FULL' : 'STORAGE_FAILED',
    `${what} failed: ${errorMessageOf(error)}`,
    {
      hint: isFull
        ? 'Free space on this disk; the message is kept in memory and tried again.'
        : 'Check that the disk is mounted read-write and healthy.',
      cause: error,
    },
  );
}

function codeOf(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}
