import { rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import type { Server, Socket } from 'node:net';
import { LockstepError } from '../../schemas/errors.ts';

interface Waiter {
  readonly take: (message: Record<string, unknown>) => boolean;
  readonly reject: (error: unknown) => void;
}

const BUFFER_CHARACTERS_MAX = 256 * 1024;

/**
 * A QEMU that is told by QMP what to do. QEMU connects to a socket of this process, so that nobody
 * has to look when it is there. One command at a time.
 * Source: QEMU's docs/interop/qmp-spec.txt.
 */
export class QmpChannel {
  readonly #path: string;
  readonly #server: Server;
  readonly #waiters = new Set<Waiter>();
  readonly #events: string[] = [];
  readonly #connected = Promise.withResolvers<Socket>();
  #socket: Socket | undefined;
  #text = '';
  #ended: LockstepError | undefined;

  private constructor(path: string, server: Server) {
    this.#path = path;
    this.#server = server;
    this.#connected.promise.catch(() => undefined);
    server.on('connection', (socket) => {
      this.#take(socket);
    });
  }

  /** Listens; the path must be one that a socket can have. */
  static async listen(path: string): Promise<QmpChannel> {
    await rm(path, { force: true });
    const server = createServer();
    const channel = new QmpChannel(path, server);
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(path, resolve);
    });
    return channel;
  }

  /**
   * Waits for QEMU, and makes it ready to take commands.
   *
   * @throws LockstepError DEADLINE_EXCEEDED, SANDBOX_FAILED if it ends or refuses.
   */
  async open(timeoutMs: number): Promise<void> {
    const timer = setTimeout(() => {
      const text = `QEMU did not connect within ${timeoutMs} ms`;
      this.#connected.reject(new LockstepError('DEADLINE_EXCEEDED', text));
    }, timeoutMs);
    try {
      await this.#connected.promise;
    } finally {
      clearTimeout(timer);
    }
    await this.execute('qmp_capabilities', {}, timeoutMs);
  }

  /**
   * Carries a command out and returns what it answers.
   *
   * @throws LockstepError as {@link open}.
   */
  async execute(
    command: string,
    values: Readonly<Record<string, unknown>>,
    timeoutMs: number,
  ): Promise<unknown> {
    const answer = this.#await(
      `an answer to ${command}`,
      timeoutMs,
      (message) => 'return' in message || 'error' in message,
    );
    this.#socket?.write(`${JSON.stringify({ execute: command, arguments: values })}\n`);
    const message = await answer;
    if (!('error' in message)) return message['return'];
    const { desc } = message['error'] as { desc?: unknown };
    throw new LockstepError('SANDBOX_FAILED', `QEMU refused ${command}: ${String(desc)}`);
  }

  /** Waits for an event, unless it has come before. */
  async awaitEvent(name: string, timeoutMs: number): Promise<void> {
    if (this.#events.includes(name)) return;
    await this.#await(`the event ${name}`, timeoutMs, (message) => message['event'] === name);
  }

  /** Gives up the connection, whoever waits, and the socket. */
  async close(): Promise<void> {
    this.#end('the connection was closed');
    this.#socket?.destroy();
    await new Promise<void>((resolve) => {
      this.#server.close(() => {
        resolve();
      });
    });
    await rm(this.#path, { force: true });
  }

  #take(socket: Socket): void {
    if (this.#socket !== undefined) {
      socket.destroy();
      return;
    }
    this.#socket = socket;
    socket.setEncoding('utf8').on('data', (text: string) => {
      this.#read(text);
    });
    socket.on('error', () => undefined);
    socket.on('close', () => {
      this.#end('QEMU ended the connection');
    });
    this.#connected.resolve(socket);
  }

  #read(text: string): void {
    const lines = (this.#text + text).split('\n');
    this.#text = (lines.pop() ?? '').slice(-BUFFER_CHARACTERS_MAX);
    for (const line of lines) {
      if (line.trim() === '') continue;
      const message = parseMessage(line);
      if (message === undefined) continue;
      const { event } = message;
      // A machine has few events, and only their names are asked for.
      if (typeof event === 'string' && !this.#events.includes(event)) this.#events.push(event);
      for (const waiter of this.#waiters) if (waiter.take(message)) break;
    }
  }

  #end(why: string): void {
    this.#ended ??= new LockstepError('SANDBOX_FAILED', why, {
      hint: 'Look at the log of the sandbox.',
    });
    this.#connected.reject(this.#ended);
    for (const { reject } of this.#waiters) reject(this.#ended);
    this.#waiters.clear();
  }

  async #await(
    what: string,
    timeoutMs: number,
    isIt: (message: Record<string, unknown>) => boolean,
  ): Promise<Record<string, unknown>> {
    if (this.#ended !== undefined) throw this.#ended;
    const { promise, resolve, reject } = Promise.withResolvers<Record<string, unknown>>();
    const waiter: Waiter = {
      reject,
      take: (message) => {
        if (!isIt(message)) return false;
        resolve(message);
        return true;
      },
    };
    this.#waiters.add(waiter);
    const timer = setTimeout(() => {
      const text = `QEMU gave no sign of ${what} within ${timeoutMs} ms`;
      reject(new LockstepError('DEADLINE_EXCEEDED', text));
    }, timeoutMs);
    try {
      return await promise;
    } finally {
      clearTimeout(timer);
      this.#waiters.delete(waiter);
    }
  }
}

function parseMessage(line: string): Record<string, unknown> | undefined {
  try {
    const message: unknown = JSON.parse(line);
    if (typeof message === 'object' && message !== null) return { ...message };
  } catch {
    // What is no JSON is no message.
  }
  return undefined;
}
