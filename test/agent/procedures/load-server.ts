import { once } from 'node:events';
import { createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import type { ExecutionContext } from 'ava';

/** What a server does with a request. */
export type Answer = (socket: Socket, requests: number) => void;

/** A server on loopback that speaks as much HTTP as a test wants. */
export interface LoadServer {
  /** Address and port. */
  readonly address: string;
  /** Requests that have come. */
  readonly requests: () => number;
}

/** A good answer with a body of so many bytes. */
export function goodAnswer(bodyBytes = 5): string {
  return `HTTP/1.1 200 OK\r\nContent-Length: ${bodyBytes}\r\n\r\n${'x'.repeat(bodyBytes)}`;
}

/** Starts a server that lives as long as the test. */
export async function loadServer(t: ExecutionContext, answer: Answer): Promise<LoadServer> {
  const sockets = new Set<Socket>();
  let requests = 0;
  const server = createServer({ noDelay: true }, (socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    socket.on('error', () => undefined);
    // Without pipelining each piece is one request.
    socket.on('data', () => {
      requests += 1;
      answer(socket, requests);
    });
  }).listen({ host: '127.0.0.1', port: 0, backlog: 2048 });
  await once(server, 'listening');
  t.teardown(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  const { port } = server.address() as AddressInfo;
  return { address: `127.0.0.1:${port}`, requests: () => requests };
}

/** An address that nobody listens on. */
export async function unusedAddress(): Promise<string> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return `127.0.0.1:${port}`;
}
