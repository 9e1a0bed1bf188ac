import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { VmmApi } from '../../../agent/sandboxes/vmm-api.ts';

const DEADLINES = { socketMs: 60, answerMs: 60 };

async function withSocket(
  answer: string | undefined,
  use: (api: VmmApi, heard: string[]) => Promise<void>,
): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'vmm-api-'));
  const path = join(folder, 'api');
  const heard: string[] = [];
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.on('data', (chunk) => {
      heard.push(chunk.toString());
      if (answer === '') socket.destroy();
      else if (answer !== undefined) socket.write(answer);
    });
  });
  await new Promise<void>((resolve) => server.listen(path, resolve));
  // Only a VMM that never answers is to run into its deadline.
  const deadlines = answer === undefined ? DEADLINES : { socketMs: 10_000, answerMs: 10_000 };
  const api = new VmmApi('The VMM', path, deadlines);
  try {
    await use(api, heard);
  } finally {
    api.close();
    server.close();
    await rm(folder, { recursive: true, force: true });
  }
}

const REQUEST = { method: 'PUT', path: '/vm', body: { state: 'ä' } } as const;

test('a request has its length in bytes in front, and no chunks', async (t) => {
  await withSocket('HTTP/1.1 204 No Content\r\n\r\n', async (api, heard) => {
    t.deepEqual(await api.ask(REQUEST), { status: 204, text: '' });
    t.regex(heard.join(''), /^PUT \/vm HTTP\/1\.1\r\n/);
    t.regex(heard.join(''), /content-length: 14\r\n/i);
    t.notRegex(heard.join(''), /transfer-encoding/i);
  });
});

test('a VMM that never answers, breaks off, or has no socket is told apart', async (t) => {
  await withSocket(undefined, async (api) => {
    await t.throwsAsync(api.ask(REQUEST), {
      code: 'DEADLINE_EXCEEDED',
      message: 'The VMM did not answer PUT /vm within 60 ms',
    });
  });
  await withSocket('', async (api) => {
    await t.throwsAsync(api.ask(REQUEST), { code: 'SANDBOX_FAILED', message: /during PUT \/vm/ });
  });
  const api = new VmmApi('The VMM', '/absent/api', DEADLINES);
  await t.throwsAsync(api.ask(REQUEST), { code: 'DEADLINE_EXCEEDED', message: /had no socket/ });
});

test('a request is given up with its API', async (t) => {
  await withSocket(undefined, async (api) => {
    const asked = api.ask(REQUEST);
    api.close();
    await t.throwsAsync(asked, { code: 'CANCELLED' });
  });
});
