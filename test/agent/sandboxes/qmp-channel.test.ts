import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { QmpChannel } from '../../../agent/sandboxes/qmp-channel.ts';

const TIMEOUT_MS = 5_000;

interface Monitor {
  readonly channel: QmpChannel;
  readonly folder: string;
  readonly socket: Socket;
}

/** A channel with a monitor on the other side that answers each command by the function given. */
async function open(
  t: ExecutionContext,
  answer: (command: { execute: string }) => object | undefined,
): Promise<Monitor> {
  const folder = await mkdtemp(join(tmpdir(), 'lockstep-qmp-'));
  const path = join(folder, 'qmp');
  const channel = await QmpChannel.listen(path);
  const socket = connect(path);
  t.teardown(async () => {
    socket.destroy();
    await channel.close();
    await rm(folder, { recursive: true, force: true });
  });
  socket.on('error', () => undefined);
  socket.write('{"QMP": {"version": {}, "capabilities": []}}\n');
  socket.setEncoding('utf8').on('data', (text: string) => {
    for (const line of text.split('\n').filter(Boolean)) {
      const reply = answer(JSON.parse(line) as { execute: string });
      if (reply !== undefined) socket.write(`${JSON.stringify(reply)}\n`);
    }
  });
  return { channel, folder, socket };
}

test('QmpChannel carries commands out and returns their answers', async (t) => {
  const { channel } = await open(t, ({ execute }) => ({ return: { asked: execute } }));
  await channel.open(TIMEOUT_MS);
  t.deepEqual(await channel.execute('query-status', {}, TIMEOUT_MS), { asked: 'query-status' });
});

test('QmpChannel tells a refusal in the words of QEMU', async (t) => {
  const { channel } = await open(t, ({ execute }) =>
    execute === 'migrate' ? { error: { class: 'GenericError', desc: 'no room' } } : { return: {} },
  );
  await channel.open(TIMEOUT_MS);
  const error = await t.throwsAsync(channel.execute('migrate', {}, TIMEOUT_MS));
  t.is(error.message, 'QEMU refused migrate: no room');
});

test('QmpChannel knows an event that came before anybody waited for it', async (t) => {
  const { channel, socket } = await open(t, () => ({ return: {} }));
  await channel.open(TIMEOUT_MS);
  // In two pieces, as a stream may bring it.
  socket.write('{"event": "RES');
  socket.write('UME"}\n');
  await channel.execute('query-status', {}, TIMEOUT_MS);
  await t.notThrowsAsync(channel.awaitEvent('RESUME', TIMEOUT_MS));
});

test('QmpChannel ends whoever waits when QEMU ends', async (t) => {
  const { channel, socket } = await open(t, ({ execute }) =>
    execute === 'qmp_capabilities' ? { return: {} } : undefined,
  );
  await channel.open(TIMEOUT_MS);
  const answer = channel.execute('migrate', {}, TIMEOUT_MS);
  socket.destroy();
  t.is((await t.throwsAsync(answer)).message, 'QEMU ended the connection');
});

test('QmpChannel waits no longer than it is told, and leaves no socket', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'lockstep-qmp-'));
  t.teardown(async () => rm(folder, { recursive: true, force: true }));
  const channel = await QmpChannel.listen(join(folder, 'qmp'));
  const error = await t.throwsAsync(channel.open(20));
  t.is((error as { code?: string }).code, 'DEADLINE_EXCEEDED');
  await channel.close();
  t.deepEqual(await readdir(folder), []);
});
