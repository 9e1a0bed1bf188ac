import { spawn } from 'node:child_process';
import type { ChildProcessByStdio } from 'node:child_process';
import { mkdir } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import type { Logger } from 'pino';
import { LockstepError } from '../../schemas/errors.ts';
import { fromFailure } from '../../schemas/failure.ts';
import { isolationCommand } from './namespaces.ts';
import type { BarrierArrival, RunnerPort } from './port.ts';
import { RUNNER_METHODS, RunnerReply } from './protocol.ts';
import type { RunnerMethod, RunnerParams, RunnerResult } from './protocol.ts';

/** How a runner is started. */
export interface RunnerOptions {
  /** Folder over which the runner gets a private tmpfs. */
  readonly scratchFolder: string;
  /** `root` or `user`, as found by detectIsolation. */
  readonly isolation: 'root' | 'user';
  /** Words before the command that give it a real-time class; empty if it gets none. */
  readonly realTime: readonly string[];
  /** Program of the runner, if it is another one than that of the release. */
  readonly entry?: string;
  readonly logger: Logger;
}

interface Pending {
  readonly method: RunnerMethod;
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: unknown) => void;
}

// Helper threads of the collector are in the ordinary class: a real-time thread that waits for them
// on a busy machine would wait long.
const SINGLE_THREADED_GC = '--single-threaded-gc';

/** Time that a runner gets to clean up before it is killed, ms. */
const CLOSE_TIMEOUT_MS = 20_000;

/** The agent's end of a runner: starts it in its namespaces, asks it, ends it. */
export class RunnerClient implements RunnerPort {
  onBarrier: (arrival: BarrierArrival) => void = () => undefined;
  readonly #child: ChildProcessByStdio<Writable, Readable, Readable>;
  readonly #logger: Logger;
  readonly #pending = new Map<number, Pending>();
  readonly #exited: Promise<void>;
  #nextId = 1;
  #end: LockstepError | undefined;

  private constructor(child: ChildProcessByStdio<Writable, Readable, Readable>, logger: Logger) {
    this.#child = child;
    this.#logger = logger;
    this.#exited = new Promise((resolve) => {
      child.once('close', (code, signal) => {
        this.#fail(`it ended with ${signal ?? `code ${code ?? '?'}`}`);
        resolve();
      });
    });
    child.once('error', (error) => {
      this.#fail(error.message);
    });
    // Writing to a runner that just died; its close event tells the callers.
    child.stdin.on('error', () => undefined);
    createInterface({ input: child.stdout }).on('line', (line) => {
      this.#receive(line);
    });
    createInterface({ input: child.stderr }).on('line', (line) => {
      logger.warn({ line }, 'runner');
    });
  }

  /** Starts the runner's process. It must be set up by a call before it is of use. */
  static async start(options: RunnerOptions): Promise<RunnerClient> {
    await mkdir(options.scratchFolder, { recursive: true });
    const entry = options.entry ?? new URL('main.ts', import.meta.url).pathname;
    const [command = '', ...args] = isolationCommand({
      scratchFolder: options.scratchFolder,
      mode: options.isolation,
      command: [...options.realTime, process.execPath, SINGLE_THREADED_GC, entry],
    });
    const child = spawn(command, args, {
      stdio: ['pipe', 'pipe', 'pipe'],
      env: {
        PATH: process.env['PATH'] ?? '/usr/sbin:/usr/bin:/sbin:/bin',
        // Where supplied programs are, and how drivers use them; no sandbox inherits these.
        ...driverVariables(process.env),
      },
      // A terminal's Ctrl-C goes to the whole group; the runner ends when the agent says so.
      detached: true,
    });
    return new RunnerClient(child, options.logger);
  }

  get isAlive(): boolean {
    return this.#end === undefined;
  }

  async call<M extends RunnerMethod>(
    method: M,
    params: RunnerParams<M>,
    timeoutMs: number,
  ): Promise<RunnerResult<M>> {
    if (this.#end !== undefined) throw this.#end;
    const id = this.#nextId++;
    const schemas = RUNNER_METHODS[method];
    const line = JSON.stringify({ id, method, params: schemas.params.encode(params as never) });
    const answer = new Promise<unknown>((resolve, reject) => {
      this.#pending.set(id, { method, resolve, reject });
    });
    const timer = setTimeout(() => {
      this.#pending
        .get(id)
        ?.reject(
          new LockstepError(
            'DEADLINE_EXCEEDED',
            `the measuring process did not answer ${method} within ${timeoutMs} ms`,
          ),
        );
    }, timeoutMs);
    try {
      this.#child.stdin.write(`${line}\n`);
      return schemas.result.decode((await answer) as never) as RunnerResult<M>;
    } finally {
      clearTimeout(timer);
      this.#pending.delete(id);
    }
  }

  async close(): Promise<void> {
    this.#child.stdin.end();
    const timer = setTimeout(() => {
      this.#logger.warn({ timeoutMs: CLOSE_TIMEOUT_MS }, 'runner did not end in time: killed');
      this.kill();
    }, CLOSE_TIMEOUT_MS);
    await this.#exited;
    clearTimeout(timer);
  }

  kill(): void {
    this.#child.kill('SIGKILL');
  }

  #receive(line: string): void {
    let reply: RunnerReply;
    try {
      reply = RunnerReply.parse(JSON.parse(line));
    } catch (error) {
      this.#logger.error({ line: line.slice(0, 500), error }, 'unreadable line from the runner');
      return;
    }
    if ('barrier' in reply) {
      this.onBarrier(reply.barrier);
      return;
    }
    const pending = this.#pending.get(reply.id);
    if (pending === undefined) return;
    if ('failure' in reply) pending.reject(fromFailure(reply.failure));
    else pending.resolve(reply.result);
  }

  #fail(reason: string): void {
    this.#end ??= new LockstepError('RUNNER_LOST', `the measuring process is gone: ${reason}`, {
      hint: "Look at the agent's log.",
    });
    for (const pending of this.#pending.values()) pending.reject(this.#end);
  }
}

function driverVariables(environment: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(
    Object.entries(environment).filter(([name]) => name.startsWith('LOCKSTEP_')),
  );
}
