import type { z } from 'zod';
import { LockstepError } from '../../schemas/errors.ts';
import { decodeMessage } from '../../schemas/protocol.ts';
import { verifyCheck } from './checked-json.ts';
import { openRegular, readingError } from './regular-file.ts';
import { damagedRun } from './run-damaged.ts';

/** Largest `run.json` or `plan.json` that is read, bytes: what a string can hold. */
const DOCUMENT_BYTES_MAX = 500_000_000;

const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/**
 * Reads a file that holds one JSON object, and decodes it. Undefined if there is no such file.
 * A file of an older release has no checksum and is read all the same.
 *
 * @throws LockstepError RUN_DAMAGED if the file is not as it was written, or not of the schema.
 * @throws LockstepError PROTOCOL_UNSUPPORTED if a newer release wrote it.
 * @throws LockstepError PERMISSION_MISSING, STORAGE_FAILED.
 */
export async function readDocument<S extends z.ZodType>(
  path: string,
  schema: S,
): Promise<z.output<S> | undefined> {
  const bytes = await readBytes(path);
  return bytes === undefined ? undefined : decodeDocument(bytes, schema, path);
}

/** Decodes the bytes of a file that holds one JSON object; see {@link readDocument}. */
export function decodeDocument<S extends z.ZodType>(
  bytes: Buffer,
  schema: S,
  path: string,
): z.output<S> {
  if (bytes.length === 0) throw damagedRun(path, 'is empty');
  if (verifyCheck(bytes) === 'fails') {
    throw damagedRun(path, 'its checksum does not match: it was damaged or changed after writing');
  }
  let value: unknown;
  try {
    value = JSON.parse(UTF8.decode(bytes));
  } catch (cause) {
    throw damagedRun(path, 'is no JSON text, or only a part of one', { cause });
  }
  try {
    return decodeMessage(schema, value, path);
  } catch (cause) {
    throw decodingError(cause, path);
  }
}

function decodingError(cause: unknown, path: string): unknown {
  if (!(cause instanceof LockstepError)) return cause;
  if (cause.code === 'PROTOCOL_UNSUPPORTED') {
    return new LockstepError('PROTOCOL_UNSUPPORTED', cause.message, {
      cause,
      hint: 'A newer release wrote it; read it with that one.',
    });
  }
  const reason = cause.message.replace(/^invalid message from \S+ /, '').replaceAll(/\s+/g, ' ');
  return damagedRun(path, `does not have the form of such a file: ${reason}`, { cause });
}

async function readBytes(path: string): Promise<Buffer | undefined> {
  const file = await openRegular(path);
  if (file === undefined) return undefined;
  try {
    const { size } = await file.stat();
    if (size > DOCUMENT_BYTES_MAX) {
      throw damagedRun(path, `has ${size} bytes; at most ${DOCUMENT_BYTES_MAX} are read`);
    }
    return await file.readFile();
  } catch (error) {
    throw readingError(error, path);
  } finally {
    await file.close();
  }
}
