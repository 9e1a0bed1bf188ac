// How the connection takes what QEMU must not say; what it does say is in virtual-machine.test.ts.
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { QmpConnection, QmpRefusal } from '../../../agent/collectors/qmp-connection.ts';

const GREETING = '{"QMP": {"version": {"qemu": {"major": 9, "minor": 1, "micro": 0}}}}\r\n';
const CAPABILITIES = '{"return": {}, "id": 1}\r\n';

/** Listens as a QEMU would, and gives what is said to the first connection to `serve`. */
async function withMonitor<T>(
  serve: (socket: Socket) => void,
  use: (folder: string) => Promise<T>,
): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'lockstep-qmp-'));
  const sockets: Socket[] = [];
  const server = createServer((socket) => {
    sockets.push(socket);
    socket.on('error', () => undefined);
    serve(socket);
  });
  try {
    await new Promise<void>((resolve) => server.listen(join(folder, 'q'), resolve));
    return await use(folder);
  } finally {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
    await rm(folder, { recursive: true });
  }
}

/** Answers each line that comes with the next of these texts. */
function answering(...answers: string[]): (socket: Socket) => void {
  return (socket) => {
    socket.write(GREETING);
    socket.on('data', () => {
      const answer = answers.shift();
      if (answer !== undefined) socket.write(answer);
    });
  };
}

test('QmpConnection finds its answer behind events, in pieces of any size', async (t) => {
  const text =
    '{"event": "RESUME", "timestamp": {"seconds": 1, "microseconds": 2}}\r\n' +
    '{"return": {"name": "käse"}, "id": 2}\r\n';
  const serve = answering(CAPABILITIES);
  await withMonitor(
    (socket) => {
      serve(socket);
      socket.on('data', (chunk) => {
        if (!chunk.toString().includes('query-name')) return;
        for (const byte of Buffer.from(text)) socket.write(Buffer.of(byte));
      });
    },
    async (folder) => {
      const connection = await QmpConnection.open(folder, '/q');
      t.is(connection.version, '9.1.0');
      t.deepEqual(await connection.execute('query-name'), { name: 'käse' });
      t.false(connection.isClosed);
      connection.close();
      t.true(connection.isClosed);
    },
  );
});

test('QmpConnection goes on after a refusal', async (t) => {
  const refusal = '{"error": {"class": "CommandNotFound", "desc": "no such command"}, "id": 2}\n';
  await withMonitor(
    answering(CAPABILITIES, refusal, '{"return": 7, "id": 3}\n'),
    async (folder) => {
      const connection = await QmpConnection.open(folder, '/q');
      const error = await t.throwsAsync(connection.execute('query-stats'), {
        instanceOf: QmpRefusal,
      });
      t.is(error.refusalClass, 'CommandNotFound');
      t.regex(error.message, /QEMU 9\.1\.0 refused query-stats: no such command/);
      t.is(await connection.execute('query-status'), 7);
      connection.close();
    },
  );
});

const isRefused = test.macro({
  title: (title) => `QmpConnection refuses ${title ?? ''}`,
  exec: async (t, serve: (socket: Socket) => void, message: RegExp) => {
    await withMonitor(serve, async (folder) => {
      const attempt = QmpConnection.open(folder, '/q').then(async (connection) => {
        try {
          return await connection.execute('query-stats');
        } finally {
          t.true(connection.isClosed);
        }
      });
      const error = await t.throwsAsync(attempt, { code: 'SANDBOX_FAILED' });
      t.regex(error.message, message);
    });
  },
});

test(
  'a greeting that is none',
  isRefused,
  (socket) => socket.write('{"event": "HELLO"}\n'),
  /greeting of QEMU expected, but there came/,
);
test(
  'what is no JSON',
  isRefused,
  (socket) => socket.write('HTTP/1.1 400 Bad Request\n'),
  /greeting of QEMU is no QMP message/,
);
test(
  'an answer to something else',
  isRefused,
  answering(CAPABILITIES, '{"return": {}, "id": 9}\n'),
  /answer to query-stats of QEMU expected/,
);
test(
  'a line without an end',
  isRefused,
  (socket) => socket.write(Buffer.alloc(5 * 1024 * 1024, 'x')),
  /more than 4194304 characters/,
);
test(
  'an end in between',
  isRefused,
  (socket) => {
    answering(CAPABILITIES)(socket);
    socket.on('data', (chunk) => {
      if (chunk.toString().includes('query-stats')) socket.end();
    });
  },
  /QEMU closed the connection/,
);

test('QmpConnection does not wait for ever', async (t) => {
  await withMonitor(answering(CAPABILITIES), async (folder) => {
    const connection = await QmpConnection.open(folder, '/q');
    await t.throwsAsync(connection.execute('query-stats'), {
      code: 'DEADLINE_EXCEEDED',
      message: /no answer to query-stats within 1000 ms/,
    });
    t.true(connection.isClosed);
  });
});

test('QmpConnection says that nobody listens, with the code as its cause', async (t) => {
  const error = await t.throwsAsync(QmpConnection.open(tmpdir(), '/none.qmp'), {
    code: 'SANDBOX_FAILED',
  });
  t.is((error.cause as NodeJS.ErrnoException).code, 'ENOENT');
});
