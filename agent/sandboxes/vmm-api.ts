import { Agent, request as httpRequest } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { LockstepError } from '../../schemas/errors.ts';

/** One request to a VMM. */
export interface VmmRequest {
  readonly method: 'GET' | 'PUT' | 'PATCH';
  readonly path: string;
  /** Sent as JSON. Absent: no body. */
  readonly body?: unknown;
}

/** What a VMM answered, whatever the status says. */
export interface VmmAnswer {
  readonly status: number;
  /** At most 64 KiB of it. */
  readonly text: string;
}

/** How long a {@link VmmApi} waits, ms. */
export interface VmmDeadlines {
  /** For the socket, from the first request on. */
  readonly socketMs: number;
  /** For each answer. */
  readonly answerMs: number;
}

/** How long the VMMs of this folder are waited for. */
export const VMM_DEADLINES: VmmDeadlines = { socketMs: 10_000, answerMs: 15_000 };

const SOCKET_POLL_MS = 1;
const ANSWER_CHARACTERS_MAX = 64 * 1024;
const NOBODY_THERE = new Set(['ENOENT', 'ECONNREFUSED']);

/** Asks a VMM by HTTP over its unix socket, over one connection that is kept. */
export class VmmApi {
  readonly #name: string;
  readonly #socketPath: string;
  readonly #deadlines: VmmDeadlines;
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 1 });
  readonly #abort = new AbortController();
  #wasReached = false;

  /** @param name of the VMM, for errors. */
  constructor(name: string, socketPath: string, deadlines: VmmDeadlines = VMM_DEADLINES) {
    this.#name = name;
    this.#socketPath = socketPath;
    this.#deadlines = deadlines;
  }

  /**
   * Sends a request, once the VMM has its socket; looks for that every millisecond.
   *
   * @throws LockstepError DEADLINE_EXCEEDED if there is no socket or no answer in time,
   * SANDBOX_FAILED if the connection breaks, CANCELLED after {@link close}.
   */
  async ask(request: VmmRequest): Promise<VmmAnswer> {
    const deadline = performance.now() + this.#deadlines.socketMs;
    for (;;) {
      try {
        const answer = await this.#askOnce(request);
        this.#wasReached = true;
        return answer;
      } catch (error) {
        const { code = '' } = error as NodeJS.ErrnoException;
        if (this.#abort.signal.aborted) throw this.#closed(request);
        if (error instanceof LockstepError) throw error;
        if (this.#wasReached || !NOBODY_THERE.has(code)) throw this.#broken(request, error);
        if (performance.now() > deadline) throw this.#noSocket(error);
      }
      await delay(SOCKET_POLL_MS);
    }
  }

  /** Gives up the connection and every request on it. */
  close(): void {
    this.#abort.abort();
    this.#agent.destroy();
  }

  async #askOnce({ method, path, body }: VmmRequest): Promise<VmmAnswer> {
    const { promise, resolve, reject } = Promise.withResolvers<VmmAnswer>();
    const content = body === undefined ? undefined : Buffer.from(JSON.stringify(body));
    const outgoing = httpRequest(
      {
        socketPath: this.#socketPath,
        agent: this.#agent,
        signal: this.#abort.signal,
        method,
        path,
        headers: {
          Accept: 'application/json',
          // Never chunked: VMMs take only bodies whose length stands in front.
          ...(content === undefined
            ? {}
            : { 'Content-Type': 'application/json', 'Content-Length': content.length }),
        },
      },
      (response) => {
        let text = '';
        response.setEncoding('utf8').on('data', (part: string) => {
          text = (text + part).slice(0, ANSWER_CHARACTERS_MAX);
        });
        response.on('end', () => {
          resolve({ status: response.statusCode ?? 0, text });
        });
        response.on('error', reject);
      },
    );
    outgoing.on('error', reject);
    const timer = setTimeout(() => {
      reject(
        new LockstepError(
          'DEADLINE_EXCEEDED',
          `${this.#name} did not answer ${method} ${path} within ${this.#deadlines.answerMs} ms`,
        ),
      );
      outgoing.destroy();
    }, this.#deadlines.answerMs);
    outgoing.end(content);
    try {
      return await promise;
    } finally {
      clearTimeout(timer);
    }
  }

  #closed({ method, path }: VmmRequest): LockstepError {
    return new LockstepError('CANCELLED', `${method} ${path} was given up with the sandbox`);
  }

  #broken({ method, path }: VmmRequest, cause: unknown): LockstepError {
    const { code, message } = cause as NodeJS.ErrnoException;
    return new LockstepError(
      'SANDBOX_FAILED',
      `${this.#name} broke off the connection during ${method} ${path} (${code ?? message})`,
      { cause, hint: 'Look at the log of the sandbox.' },
    );
  }

  #noSocket(cause: unknown): LockstepError {
    return new LockstepError(
      'DEADLINE_EXCEEDED',
      `${this.#name} had no socket ${this.#socketPath} within ${this.#deadlines.socketMs} ms`,
      { cause, hint: 'Look at the log of the sandbox.' },
    );
  }
}
