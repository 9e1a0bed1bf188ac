import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { clientCommand, clientFile } from '../../../agent/sandboxes/docker-client.ts';

const OK = 'HTTP/1.0 204 No Content\r\n\r\n';

/** A frame of an attached container's output; source: Docker Engine API, attach. */
function frame(stream: 1 | 2, text: string): Buffer {
  const head = Buffer.from([stream, 0, 0, 0, 0, 0, 0, 0]);
  head.writeUInt32BE(Buffer.byteLength(text), 4);
  return Buffer.concat([head, Buffer.from(text)]);
}

interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
  readonly asked: string[];
}

/** Runs the client against a socket that answers as told; requests are noted by their target. */
async function runClient(
  answer: (target: string, connection: Socket, open: Map<string, Socket>) => void,
): Promise<Ended> {
  const folder = await mkdtemp(join(tmpdir(), 'lockstep-client-'));
  const asked: string[] = [];
  const open = new Map<string, Socket>();
  const server = createServer((connection) => {
    connection.on('error', () => undefined);
    connection.once('data', (chunk) => {
      const target = /^POST (\S+)/.exec(chunk.toString('latin1'))?.[1] ?? 'unknown';
      asked.push(target);
      open.set(target.replace(/.*\/([a-z]+).*/, '$1'), connection);
      answer(target, connection, open);
    });
  });
  const socket = join(folder, 'api.sock');
  await new Promise<void>((resolve) => server.listen(socket, resolve));
  try {
    const [program = '', , ...words] = clientCommand((path) => path, {
      ...{ socket, name: 'c1', spec: { Image: 'x' } },
    });
    const child = spawn(program, ['-e', clientFile.text, ...words]);
    const output = { stdout: '', stderr: '' };
    child.stdout.on('data', (chunk: Buffer) => (output.stdout += chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => (output.stderr += chunk.toString()));
    const code = await new Promise<number | null>((resolve) => child.once('close', resolve));
    return { code, ...output, asked };
  } finally {
    server.close();
    await rm(folder, { recursive: true, force: true });
  }
}

test('the client creates, attaches, starts, passes the output on, and waits', async (t) => {
  const { code, stdout, stderr, asked } = await runClient((target, connection, open) => {
    if (!target.includes('attach')) connection.end(OK);
    else connection.write('HTTP/1.1 200 OK\r\n\r\n');
    if (!target.includes('start')) return;
    const output = open.get('attach')!;
    const bytes = Buffer.concat([frame(1, 'one\n'), frame(2, 'two\n'), frame(1, 'three\n')]);
    output.write(bytes.subarray(0, 5));
    setTimeout(() => output.end(bytes.subarray(5)), 20);
  });
  t.is(code, 0);
  t.is(stdout, 'one\nthree\n');
  t.is(stderr, 'two\n');
  t.deepEqual(asked, [
    '/containers/create?name=c1',
    '/containers/c1/attach?stream=1&stdout=1&stderr=1',
    '/containers/c1/start',
    '/containers/c1/wait',
  ]);
});

test('the client tells why a container does not start', async (t) => {
  const { code, stderr } = await runClient((target, connection, open) => {
    if (target.includes('create')) connection.end(OK);
    else if (target.includes('attach')) connection.write('HTTP/1.1 200 OK\r\n\r\n');
    else {
      connection.end('HTTP/1.0 400 Bad Request\r\n\r\n{"message":"no \\"exec\\" here"}\n');
      open.get('attach')?.end();
    }
  });
  t.is(code, 125);
  t.is(stderr, 'docker: status 400: no \\"exec\\" here\n');
});

test('the client ends with an error if the daemon does', async (t) => {
  const { code, stderr } = await runClient((target, connection) => {
    if (target.includes('attach')) connection.destroy();
    else connection.end(OK);
  });
  t.is(code, 125);
  t.is(stderr, 'docker: the daemon ended\n');
});
