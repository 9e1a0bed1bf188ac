import { spawn } from 'node:child_process';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { LockstepError } from '../../schemas/errors.ts';
import { Failure, fromFailure } from '../../schemas/failure.ts';
import { Manifest } from './manifest.ts';
import { removeTemporaryFolders } from './temporary-folder.ts';

/** How long {@link compactRun} may take. */
export interface CompactOptions {
  readonly signal?: AbortSignal;
  /** Default: an hour, for a run of some millions of results. */
  readonly timeoutMs?: number;
}

const TIMEOUT_MS = 3_600_000;

/** Time to end in good order after it was told to, ms. */
const STOP_TIMEOUT_MS = 5000;

const MAIN = fileURLToPath(new URL('main.ts', import.meta.url));

/** Memory of the program itself, MB: with that of the database it stays below 1 GB. */
export const COMPACT_FLAGS: readonly string[] = [
  '--max-old-space-size=256',
  '--max-semi-space-size=16',
];

const Answer = z.union([z.object({ manifest: Manifest }), z.object({ failure: Failure })]);

/**
 * Writes the Parquet files of a run in a process of its own, of the lowest priority, so that it
 * takes neither memory nor time from this one.
 *
 * @throws LockstepError as `writeParquet`; DEADLINE_EXCEEDED after the timeout; CANCELLED if the
 *   signal aborts.
 */
export async function compactRun(
  folder: string,
  { signal, timeoutMs = TIMEOUT_MS }: CompactOptions = {},
): Promise<Manifest> {
  if (isAborted(signal)) throw cancelled(folder);
  const child = spawn(process.execPath, [...COMPACT_FLAGS, MAIN, folder], {
    // It ends when its input does: with this process, however that ends.
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  let killTimer: NodeJS.Timeout | undefined;
  const stop = (): void => {
    child.kill('SIGTERM');
    killTimer ??= setTimeout(() => child.kill('SIGKILL'), STOP_TIMEOUT_MS);
  };
  const deadline = AbortSignal.timeout(timeoutMs);
  deadline.addEventListener('abort', stop);
  signal?.addEventListener('abort', stop);
  try {
    const ended = new Promise<void>((resolve, reject) => {
      child.once('error', reject);
      child.once('close', () => {
        resolve();
      });
    });
    const [answer, said] = await Promise.all([text(child.stdout), text(child.stderr), ended]);
    if (isAborted(deadline)) {
      throw new LockstepError(
        'DEADLINE_EXCEEDED',
        `the Parquet files of ${folder} were not written within ${timeoutMs} ms`,
      );
    }
    if (isAborted(signal)) throw cancelled(folder);
    return manifestIn(answer, said, folder);
  } finally {
    deadline.removeEventListener('abort', stop);
    clearTimeout(killTimer);
    signal?.removeEventListener('abort', stop);
    // A process that was killed could not do so itself.
    await removeTemporaryFolders(folder, (id) => id === child.pid).catch(() => undefined);
  }
}

function manifestIn(answer: string, said: string, folder: string): Manifest {
  let parsed: z.output<typeof Answer>;
  try {
    parsed = Answer.parse(JSON.parse(answer));
  } catch (cause) {
    const end = said.trim().split('\n').slice(-3).join(' ').slice(0, 1000);
    throw new LockstepError('INTERNAL', `writing the Parquet files of ${folder} ended: ${end}`, {
      cause,
    });
  }
  if ('failure' in parsed) throw fromFailure(parsed.failure);
  return parsed.manifest;
}

function isAborted(signal: AbortSignal | undefined): boolean {
  return signal?.aborted === true;
}

function cancelled(folder: string): LockstepError {
  return new LockstepError('CANCELLED', `the Parquet files of ${folder} were not written`);
}
