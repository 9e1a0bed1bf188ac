import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { jetstreamManager, RetentionPolicy } from '@nats-io/jetstream';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import type { Bus } from '../../../bus/bus.ts';
import { connectBus } from '../../../bus/connection.ts';
import { ensureStream, readStream, TELEMETRY } from '../../../bus/streams.ts';
import { MAX_MESSAGE_BYTES } from '../../../bus/wire-format.ts';
import { issueCredentials, writeCredentials } from '../../../provisioning/nats/credentials.ts';
import { TELEMETRY_STREAM, TELEMETRY_WILDCARD } from '../../../schemas/subjects.ts';
import { Drainer } from '../../../telemetry/spool/drainer.ts';
import { NatsDestination } from '../../../telemetry/spool/nats-destination.ts';
import { openSpool } from '../../../telemetry/spool/spool.ts';
import type { Spool } from '../../../telemetry/spool/spool.ts';
import { startTestBus } from '../../support/nats-server.ts';
import { textPayload } from '../../support/scripted-destination.ts';

const COORDINATOR = { role: 'coordinator', user: 'coordinator' } as const;
const DEVICE = { role: 'device', user: 'd1' } as const;
// The stream of telemetry keeps nothing that no relay waits for; here everything must be seen.
const KEEPING = { ...TELEMETRY, retention: RetentionPolicy.Limits };
const AGENT = fileURLToPath(new URL('draining-agent.ts', import.meta.url));

async function temporaryFolder(t: ExecutionContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'lockstep-spool-'));
  t.teardown(async () => rm(folder, { recursive: true, force: true }));
  return folder;
}

async function filled(folder: string, texts: readonly string[]): Promise<Spool> {
  const spool = await openSpool({ folder });
  for (const text of texts) await spool.add(textPayload(text, 3));
  return spool;
}

async function stored(bus: Bus): Promise<string[]> {
  const texts: string[] = [];
  for await (const { data } of readStream(bus, TELEMETRY_STREAM, TELEMETRY_WILDCARD)) {
    texts.push(Buffer.from(data).toString());
  }
  return texts;
}

const numbered = (count: number): string[] =>
  Array.from({ length: count }, (_, index) => `payload ${index}`);

test('nothing is lost, doubled or reordered over a dead server and kill -9 of it', async (t) => {
  const server = await startTestBus(t);
  await ensureStream(await server.connect(COORDINATOR), KEEPING);
  await server.kill();
  const texts = numbered(200);
  const spool = await filled(await temporaryFolder(t), texts.slice(0, 20));
  // The agent starts while there is no server.
  const connecting = connectBus({
    servers: server.url,
    credentials: issueCredentials(server.trust, DEVICE),
    ...{ name: 'd1', user: 'd1', waitMs: Number.POSITIVE_INFINITY },
  });
  await server.restart();
  const bus = await connecting;
  t.teardown(async () => bus.close());
  const drainer = new Drainer(spool, new NatsDestination(bus));
  t.teardown(async () => drainer.close());
  drainer.start();
  for (const [index, text] of texts.entries()) {
    if (index >= 20) await spool.add(textPayload(text, 3));
    if (index === 60 || index === 120) await server.kill();
    if (index === 80 || index === 160) await server.restart();
  }
  t.true(await drainer.flush(60_000));
  t.deepEqual(await stored(await server.connect(COORDINATOR)), texts);
  t.deepEqual(spool.statistics.lostItems, { traces: 0, metrics: 0, logs: 0 });
  t.is(drainer.statistics.acceptedItems, 600);
});

test('nothing is lost or doubled when the process that drains is killed again and again', async (t) => {
  const server = await startTestBus(t);
  const coordinator = await server.connect(COORDINATOR);
  await ensureStream(coordinator, KEEPING);
  const folder = await temporaryFolder(t);
  const texts = numbered(500);
  await (await filled(folder, texts)).close();
  const credentials = join(await temporaryFolder(t), 'd1.creds');
  await writeCredentials(credentials, issueCredentials(server.trust, DEVICE));
  let kills = 0;
  for (let said = ''; !said.includes('empty');) {
    const words = [AGENT, server.url, credentials, folder, 'd1'];
    const agent = spawn(process.execPath, words, { stdio: ['ignore', 'pipe', 'inherit'] });
    const closed = once(agent, 'close');
    said = '';
    agent.stdout.on('data', (chunk: Buffer) => {
      said += chunk.toString();
      if (kills < 2 && said.includes('draining')) {
        kills += 1;
        setTimeout(() => agent.kill('SIGKILL'), 50 * kills);
      }
      if (said.includes('empty')) agent.kill('SIGKILL');
    });
    await closed;
  }
  t.deepEqual(await stored(coordinator), texts);
  t.is(kills, 2);
  t.is((await openSpool({ folder })).statistics.pendingFiles, 0);
});

test('a payload over the bound of a message is refused, and holds up no other', async (t) => {
  const server = await startTestBus(t);
  const coordinator = await server.connect(COORDINATOR);
  await ensureStream(coordinator, KEEPING);
  const spool = await openSpool({ folder: await temporaryFolder(t) });
  // With headers it is over the bound; without, just at it.
  for (const size of [MAX_MESSAGE_BYTES + 1, MAX_MESSAGE_BYTES]) {
    await spool.add({ signal: 'logs', bytes: Buffer.alloc(size, 'x'), items: 5 });
  }
  await spool.add(textPayload('after', 3));
  const drainer = new Drainer(spool, new NatsDestination(await server.connect(DEVICE)));
  t.teardown(async () => drainer.close());
  drainer.start();
  t.true(await drainer.flush(60_000));
  t.deepEqual(await stored(coordinator), ['after']);
  t.is(drainer.statistics.refusedItems, 10);
  t.is(spool.statistics.lostItems.logs, 10);
});

test('a drainer closes in time while the server is away, and the spool keeps all', async (t) => {
  const server = await startTestBus(t);
  await ensureStream(await server.connect(COORDINATOR), KEEPING);
  const device = await server.connect(DEVICE);
  await server.kill();
  const folder = await temporaryFolder(t);
  const spool = await filled(folder, ['1', '2']);
  const drainer = new Drainer(spool, new NatsDestination(device));
  drainer.start();
  t.false(await drainer.flush(50));
  await drainer.close();
  await spool.close();
  t.is((await openSpool({ folder })).statistics.pendingFiles, 2);
});

test('the stream takes telemetry without a relay, and keeps none of it', async (t) => {
  const server = await startTestBus(t);
  const coordinator = await server.connect(COORDINATOR);
  await ensureStream(coordinator, TELEMETRY);
  const spool = await filled(await temporaryFolder(t), ['1', '2']);
  const drainer = new Drainer(spool, new NatsDestination(await server.connect(DEVICE)));
  t.teardown(async () => drainer.close());
  drainer.start();
  t.true(await drainer.flush(60_000));
  const manager = await jetstreamManager(coordinator.connection, { checkAPI: false });
  t.is((await manager.streams.info(TELEMETRY_STREAM)).state.messages, 0);
});
