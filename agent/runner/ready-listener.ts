import { createServer } from 'node:net';
import type { Server, Socket } from 'node:net';
import { LockstepError } from '../../schemas/errors.ts';

/** Port of the ready listener, on every gateway address of the runner's network namespace. */
export const READY_PORT = 3000;

const ANSWER = 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n';

/** A connection that says nothing for this long is dropped, ms. */
const CONNECTION_TIMEOUT_MS = 5000;

/**
 * Hears functions say that they listen. An instance is known by the address that it calls from, so
 * nothing about it has to be put into its image. The stamp is taken when the connection arrives,
 * before a byte of it is read.
 */
export class ReadyListener {
  readonly #server: Server;
  readonly #waiting = new Map<string, (atMonoNs: bigint) => void>();
  readonly #connections = new Set<Socket>();

  private constructor(server: Server) {
    this.#server = server;
  }

  /**
   * Listens on all addresses of the network namespace that this process is in.
   *
   * @throws LockstepError PORT_IN_USE if something else listens there.
   */
  static async open(port: number = READY_PORT): Promise<ReadyListener> {
    const server = createServer({ noDelay: true });
    const listener = new ReadyListener(server);
    server.on('connection', (socket) => {
      listener.#accept(socket, process.hrtime.bigint());
    });
    server.maxConnections = 4096;
    await new Promise<void>((resolve, reject) => {
      server.once('error', (cause) => {
        reject(
          new LockstepError('PORT_IN_USE', `the ready listener cannot use port ${port}`, { cause }),
        );
      });
      server.listen({ host: '0.0.0.0', port, backlog: 1024 }, resolve);
    });
    return listener;
  }

  /** Calls back once, when the instance at this address says that it listens. */
  expect(address: string, onReady: (atMonoNs: bigint) => void): void {
    this.#waiting.set(address, onReady);
  }

  /** Stops waiting for the instance at this address. */
  forget(address: string): void {
    this.#waiting.delete(address);
  }

  /** Stops listening and drops what is still connected. */
  async close(): Promise<void> {
    this.#waiting.clear();
    await new Promise<void>((resolve) => {
      this.#server.close(() => {
        resolve();
      });
      // A server closes only after its connections, and a sandbox may hold one for ever.
      for (const socket of this.#connections) socket.destroy();
    });
  }

  #accept(socket: Socket, atMonoNs: bigint): void {
    this.#connections.add(socket);
    socket.once('close', () => this.#connections.delete(socket));
    socket.setTimeout(CONNECTION_TIMEOUT_MS, () => {
      socket.destroy();
    });
    // A function that vanishes during its call is noticed by its sandbox's end, not here.
    socket.on('error', () => undefined);
    socket.once('data', () => {
      socket.end(ANSWER);
    });
    const address = (socket.remoteAddress ?? '').replace(/^::ffff:/, '');
    const onReady = this.#waiting.get(address);
    if (onReady === undefined) return;
    this.#waiting.delete(address);
    onReady(atMonoNs);
  }
}
