import { closeSync, constants, openSync } from 'node:fs';
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { basename, dirname } from 'node:path';
import { StringDecoder } from 'node:string_decoder';
import { z } from 'zod';
import { LockstepError, errorMessageOf } from '../../schemas/errors.ts';

/** What QEMU says first. Source: QEMU, docs/interop/qmp-spec. */
const Greeting = z.object({
  QMP: z.object({
    version: z.object({
      qemu: z.object({ major: z.int().min(0), minor: z.int().min(0), micro: z.int().min(0) }),
    }),
  }),
});

const Event = z.object({ event: z.string().max(128) });
const Failure = z.object({
  id: z.int().optional(),
  error: z.object({ class: z.string().max(128), desc: z.string().max(4096) }),
});
const Success = z.object({ id: z.int().optional(), return: z.unknown() });
const Message = z.union([Greeting, Event, Failure, Success]);
type Message = z.output<typeof Message>;

// The answer of a guest with 255 processors has about 1 MB.
const LINE_CHARACTERS_MAX = 4 * 1024 * 1024;
const STEP_TIMEOUT_MS = 1_000;

/** QEMU refused a command: the class and the text are QEMU's. */
export class QmpRefusal extends LockstepError {
  readonly refusalClass: string;

  constructor(refusalClass: string, message: string) {
    super('SANDBOX_FAILED', message);
    this.refusalClass = refusalClass;
  }
}

/**
 * A connection to the monitor of a QEMU, in command mode; one command at a time. Each wait ends
 * after a second at most.
 */
export class QmpConnection {
  /** Version of QEMU, such as 7.2.22. */
  readonly version: string;
  readonly #link: Link;
  #lastId = 0;

  private constructor(link: Link, version: string) {
    this.#link = link;
    this.version = version;
  }

  /**
   * Connects to the socket of a QEMU that may be in another mount namespace.
   *
   * @param root the QEMU's own root folder: /proc/PID/root
   * @param socket path of the socket below that
   * @throws LockstepError SANDBOX_FAILED if nobody listens, with a cause that has the code of that,
   * or it is no QEMU; DEADLINE_EXCEEDED if it does not answer.
   */
  static async open(root: string, socket: string): Promise<QmpConnection> {
    const link = await connectBelow(root, socket);
    try {
      const greeting = await link.next('greeting');
      if (!('QMP' in greeting)) throw unexpected('greeting', greeting);
      const { major, minor, micro } = greeting.QMP.version.qemu;
      const connection = new QmpConnection(link, `${major}.${minor}.${micro}`);
      await connection.execute('qmp_capabilities');
      return connection;
    } catch (error) {
      link.destroy();
      throw error;
    }
  }

  /** True once the connection is gone, from whichever side. */
  get isClosed(): boolean {
    return this.#link.isClosed;
  }

  /**
   * Runs one command and returns what it returned, not yet validated.
   *
   * @throws QmpRefusal if QEMU refuses it; LockstepError DEADLINE_EXCEEDED or SANDBOX_FAILED, and
   * then the connection is closed.
   */
  async execute(command: string, words: Readonly<Record<string, string>> = {}): Promise<unknown> {
    this.#lastId += 1;
    const id = this.#lastId;
    this.#link.send(JSON.stringify({ execute: command, arguments: words, id }));
    for (;;) {
      const message = await this.#link.next(`answer to ${command}`);
      // Events come in between, whenever something happens to the guest.
      if ('event' in message) continue;
      if ('error' in message) {
        throw new QmpRefusal(
          message.error.class,
          `QEMU ${this.version} refused ${command}: ${message.error.desc}`,
        );
      }
      if ('return' in message && message.id === id) return message.return;
      this.#link.destroy();
      throw unexpected(`answer to ${command}`, message);
    }
  }

  /** Ends the connection at once. */
  close(): void {
    this.#link.destroy();
  }
}

function unexpected(what: string, message: Message): LockstepError {
  return new LockstepError(
    'SANDBOX_FAILED',
    `${what} of QEMU expected, but there came ${JSON.stringify(message).slice(0, 200)}`,
  );
}

/** The lines of a socket, one waiter at a time. */
class Link {
  readonly #socket: Socket;
  readonly #decoder = new StringDecoder('utf8');
  #rest = '';
  #lines: string[] = [];
  #failure: Error | undefined;
  #wake: (() => void) | undefined;

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('data', (chunk: Buffer) => {
      this.#push(this.#decoder.write(chunk));
    });
    socket.on('error', (error) => {
      this.#fail(error);
    });
    socket.on('close', () => {
      this.#fail(new Error('QEMU closed the connection'));
    });
  }

  get isClosed(): boolean {
    return this.#failure !== undefined || this.#socket.destroyed;
  }

  send(line: string): void {
    this.#socket.write(`${line}\n`);
  }

  destroy(): void {
    this.#socket.destroy();
  }

  async next(what: string): Promise<Message> {
    const line = await this.#nextLine(what);
    try {
      return Message.parse(JSON.parse(line));
    } catch (cause) {
      this.destroy();
      throw new LockstepError('SANDBOX_FAILED', `the ${what} of QEMU is no QMP message`, { cause });
    }
  }

  async #nextLine(what: string): Promise<string> {
    const timer = setTimeout(() => {
      this.#fail(lateness(what));
      this.destroy();
    }, STEP_TIMEOUT_MS);
    try {
      for (;;) {
        const line = this.#lines.shift();
        if (line !== undefined) return line;
        if (this.#failure instanceof LockstepError) throw this.#failure;
        if (this.#failure !== undefined) {
          const reason = errorMessageOf(this.#failure);
          throw new LockstepError('SANDBOX_FAILED', `the monitor of QEMU: ${reason}`, {
            cause: this.#failure,
          });
        }
        await new Promise<void>((resolve) => (this.#wake = resolve));
      }
    } finally {
      clearTimeout(timer);
    }
  }

  #push(text: string): void {
    const lines = (this.#rest + text).split('\n');
    this.#rest = lines.pop() ?? '';
    this.#lines.push(...lines.map((line) => line.trim()).filter(Boolean));
    const held = this.#lines.reduce((sum, line) => sum + line.length, this.#rest.length);
    if (held > LINE_CHARACTERS_MAX) {
      this.#fail(new Error(`more than ${LINE_CHARACTERS_MAX} characters came at once`));
      this.#lines = [];
      this.#rest = '';
      this.destroy();
    }
    this.#wake?.();
  }

  #fail(error: Error): void {
    this.#failure ??= error;
    this.#wake?.();
  }
}

function lateness(what: string): LockstepError {
  const text = `QEMU: no ${what} within ${STEP_TIMEOUT_MS} ms`;
  return new LockstepError('DEADLINE_EXCEEDED', text);
}

async function connectBelow(root: string, path: string): Promise<Link> {
  let folder: number | undefined;
  try {
    // The path of a socket may have 107 bytes only. By a descriptor of its folder it is short.
    folder = openSync(`${root}${dirname(path)}`, constants.O_RDONLY | constants.O_DIRECTORY);
    const socket = connect({ path: `/proc/self/fd/${folder}/${basename(path)}` });
    await connected(socket);
    return new Link(socket);
  } catch (cause) {
    if (cause instanceof LockstepError) throw cause;
    const reason = errorMessageOf(cause);
    throw new LockstepError('SANDBOX_FAILED', `no connection to ${path} of QEMU: ${reason}`, {
      cause,
    });
  } finally {
    if (folder !== undefined) closeSync(folder);
  }
}

async function connected(socket: Socket): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<undefined>();
  const timer = setTimeout(() => {
    reject(lateness('connection'));
  }, STEP_TIMEOUT_MS);
  socket.once('connect', () => {
    resolve(undefined);
  });
  socket.once('error', reject);
  try {
    await promise;
  } catch (error) {
    // Whatever comes after the deadline is nobody's.
    socket.on('error', () => undefined);
    socket.destroy();
    throw error;
  } finally {
    clearTimeout(timer);
    socket.off('error', reject);
  }
}
