import { createReadStream } from 'node:fs';
import { request } from 'node:http';
import { pipeline } from 'node:stream/promises';
import { LockstepError } from '../../schemas/errors.ts';

/** One request to a Docker daemon. */
export interface DockerRequest {
  readonly method: 'GET' | 'POST' | 'DELETE';
  readonly path: string;
  /** A file to send as the body. */
  readonly file?: string;
  /** Default 10 s. */
  readonly timeoutMs?: number;
}

/** The answer: a status below 300 or 404, and at most 1 MiB of its body. */
export interface DockerAnswer {
  readonly status: number;
  readonly text: string;
}

const TIMEOUT_MS = 10_000;
const ANSWER_LENGTH_MAX = 1024 * 1024;

/**
 * Asks the daemon that listens on a Unix socket. What is not found is an answer.
 *
 * @throws LockstepError SANDBOX_FAILED with the daemon's message, or if it does not answer;
 * DEADLINE_EXCEEDED if it answers late.
 */
export async function askDocker(socket: string, asked: DockerRequest): Promise<DockerAnswer> {
  const { method, path, file, timeoutMs = TIMEOUT_MS } = asked;
  const { promise, resolve, reject } = Promise.withResolvers<DockerAnswer>();
  const headers = file === undefined ? {} : { 'Content-Type': 'application/x-tar' };
  const outgoing = request({ socketPath: socket, method, path, headers, agent: false });
  outgoing.on('response', (response) => {
    let text = '';
    response.setEncoding('utf8');
    response.on('data', (part: string) => {
      if (text.length < ANSWER_LENGTH_MAX) text += part;
    });
    response.on('error', reject);
    response.on('end', () => {
      resolve({ status: response.statusCode ?? 0, text });
    });
  });
  outgoing.on('error', reject);
  const timer = setTimeout(() => {
    outgoing.destroy(
      new LockstepError(
        'DEADLINE_EXCEEDED',
        `${method} ${path} was not answered within ${timeoutMs} ms`,
      ),
    );
  }, timeoutMs);
  try {
    if (file === undefined) outgoing.end();
    // A daemon that refuses the body says why.
    else await pipeline(createReadStream(file), outgoing).catch(() => undefined);
    return checkAnswer(asked, await promise);
  } catch (cause) {
    if (cause instanceof LockstepError) throw cause;
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new LockstepError('SANDBOX_FAILED', `${method} ${path}: ${reason}`, { cause });
  } finally {
    clearTimeout(timer);
  }
}

function checkAnswer({ method, path }: DockerRequest, answer: DockerAnswer): DockerAnswer {
  const { status, text } = answer;
  // The load of an image fails within its answer.
  const failure = /"errorDetail":\s*\{[^}]*"message":\s*("(?:[^"\\]|\\.)*")/.exec(text)?.[1];
  if ((status < 300 || status === 404) && failure === undefined) return answer;
  const message = (failure ?? text).trim().slice(0, 500);
  throw new LockstepError('SANDBOX_FAILED', `${method} ${path}: ${status} ${message}`);
}
