import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { connectBus } from '../../../bus/connection.ts';
import { ensureStream, publishDurable, readStream, RESULTS } from '../../../bus/streams.ts';
import { ensureTrust, issueCredentials } from '../../../provisioning/nats/credentials.ts';
import { findNatsServer } from '../../../provisioning/nats/find-server.ts';
import { identityOf, isRunning } from '../../../provisioning/nats/process-identity.ts';
import type { ProcessIdentity } from '../../../provisioning/nats/process-identity.ts';
import { startNatsServer } from '../../../provisioning/nats/server.ts';
import type { NatsServer } from '../../../provisioning/nats/server.ts';
import { resultSubject } from '../../../schemas/subjects.ts';
import { CHECKOUT } from '../../support/nats-server.ts';
import { rejection } from '../../support/rejection.ts';
import { smallDisk } from '../../support/small-disk.ts';

async function temporaryFolder(t: ExecutionContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'lockstep-server-'));
  t.teardown(async () => rm(folder, { recursive: true, force: true, maxRetries: 3 }));
  return folder;
}

async function start(
  t: ExecutionContext,
  { keys, data, port = 0 }: { keys: string; data: string; port?: number },
): Promise<NatsServer> {
  const trust = await ensureTrust(keys);
  const binary = await findNatsServer(CHECKOUT);
  const server = await startNatsServer({ binary, folder: data, trust, port });
  t.teardown(async () => server.stop());
  return server;
}

/** A process that starts a server on these folders and waits; resolves with the server's pid. */
async function startInChild(
  t: ExecutionContext,
  folder: string,
  environment: NodeJS.ProcessEnv = {},
): Promise<{ kill: () => void; server: ProcessIdentity }> {
  const moduleUrl = (name: string): string =>
    JSON.stringify(pathToFileURL(join(CHECKOUT, 'provisioning', 'nats', name)).href);
  const program = `
    const { ensureTrust } = await import(${moduleUrl('credentials.ts')});
    const { startNatsServer } = await import(${moduleUrl('server.ts')});
    const [binary, folder] = process.argv.slice(1);
    const trust = await ensureTrust(folder + '/keys');
    const server = await startNatsServer({ binary, folder: folder + '/data', trust, port: 0 });
    process.stdout.write(String(server.pid));
    process.stdin.resume();
    process.stdin.on('close', () => void server.stop());
  `;
  const binary = await findNatsServer(CHECKOUT);
  const child = spawn(
    process.execPath,
    ['--input-type=module', '--eval', program, '--', binary, folder],
    { stdio: ['pipe', 'pipe', 'inherit'], env: { ...process.env, ...environment } },
  );
  t.teardown(async () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.stdin.end();
    await once(child, 'close');
  });
  const [pid] = (await once(child.stdout, 'data')) as [Buffer];
  const server = await identityOf(Number(pid.toString()));
  if (server === undefined) throw new Error('the server does not run');
  return { kill: () => child.kill('SIGKILL'), server };
}

async function gone(server: ProcessIdentity): Promise<boolean> {
  const deadlineMs = performance.now() + 20_000;
  while (performance.now() < deadlineMs) {
    if (!(await isRunning(server))) return true;
    await delay(20);
  }
  return false;
}

test('a server answers, keeps its files private, stops, and is gone', async (t) => {
  const folder = await temporaryFolder(t);
  const data = join(folder, 'data');
  const server = await start(t, { keys: join(folder, 'keys'), data });
  t.regex(server.url, /^nats:\/\/127\.0\.0\.1:\d+$/);
  t.is((await stat(data)).mode & 0o777, 0o700);
  t.is((await stat(join(data, 'nats-server.conf'))).mode & 0o777, 0o600);
  const identity = await identityOf(server.pid);
  await server.stop();
  const { logTail } = await server.exited;
  t.regex(logTail, /Server Exiting/);
  t.true(identity !== undefined && (await gone(identity)));
  await server.stop();
});

test('a port in use is told with a way out, and nothing is left running', async (t) => {
  const folder = await temporaryFolder(t);
  const keys = join(folder, 'keys');
  const { port } = await start(t, { keys, data: join(folder, 'one') });
  const error = await rejection(start(t, { keys, data: join(folder, 'two'), port }));
  t.is(error.code, 'PORT_IN_USE');
  t.regex(error.message, new RegExp(`port ${port} on 127\\.0\\.0\\.1`));
  t.regex(error.hint ?? '', /another port/);
  // The folder of the failed start is free again.
  await start(t, { keys, data: join(folder, 'two') });
});

test('a second start on the folder of a running server is refused', async (t) => {
  const folder = await temporaryFolder(t);
  const folders = { keys: join(folder, 'keys'), data: join(folder, 'data') };
  const first = await start(t, folders);
  const error = await rejection(start(t, folders));
  t.is(error.code, 'PORT_IN_USE');
  t.true(error.message.includes(String(first.pid)));
  const identity = await identityOf(first.pid);
  t.true(identity !== undefined && (await isRunning(identity)));
});

test('a server is gone when its parent was killed, and what it stored is not', async (t) => {
  const folder = await temporaryFolder(t);
  const folders = { keys: join(folder, 'keys'), data: join(folder, 'data') };
  const child = await startInChild(t, folder);
  child.kill();
  t.true(await gone(child.server), 'the kernel ends it');

  const trust = await ensureTrust(folders.keys);
  const connect = (url: string) =>
    connectBus({
      servers: url,
      credentials: issueCredentials(trust, { role: 'coordinator', user: 'c' }),
      name: 'test',
      user: 'c',
    });
  const second = await start(t, folders);
  const before = await connect(second.url);
  await ensureStream(before, RESULTS);
  await publishDurable(before, resultSubject('d1'), Buffer.from('kept'), { id: 'a' });
  process.kill(second.pid, 'SIGKILL');
  t.is((await second.exited).signal, 'SIGKILL');
  await before.close();

  const third = await start(t, folders);
  const after = await connect(third.url);
  t.teardown(async () => after.close());
  const texts: string[] = [];
  for await (const { data } of readStream(after, RESULTS.name, resultSubject('d1'))) {
    texts.push(Buffer.from(data).toString());
  }
  t.deepEqual(texts, ['kept']);
});

test('a server that outlived its killed parent is ended by the next start', async (t) => {
  const folder = await temporaryFolder(t);
  // Without setpriv on PATH nothing ends it with its parent.
  const child = await startInChild(t, folder, { PATH: join(folder, 'none') });
  child.kill();
  await delay(200);
  t.true(await isRunning(child.server));
  await start(t, { keys: join(folder, 'keys'), data: join(folder, 'data') });
  t.false(await isRunning(child.server));
});

test('a record that names a stranger ends nobody', async (t) => {
  const folder = await temporaryFolder(t);
  const data = join(folder, 'data');
  const stranger = spawn('sleep', ['1000'], { stdio: 'ignore' });
  t.teardown(() => void stranger.kill('SIGKILL'));
  const identity = await identityOf(stranger.pid ?? 0);
  await mkdir(data);
  const owner = { pid: 1, startTicks: '1', bootId: 'none' };
  await writeFile(join(data, 'server.json'), JSON.stringify({ server: identity, owner }));
  await start(t, { keys: join(folder, 'keys'), data });
  t.true(identity !== undefined && (await isRunning(identity)));
});

test('a full disk is STORAGE_FULL', async (t) => {
  const disk = await smallDisk(t, 65_536);
  if ('missing' in disk) {
    t.log(`skipped: ${disk.missing}`);
    t.pass();
    return;
  }
  const keys = join(await temporaryFolder(t), 'keys');
  await t.throwsAsync(writeFile(join(disk.path, 'filler'), Buffer.alloc(100_000)), {
    code: 'ENOSPC',
  });
  const error = await rejection(start(t, { keys, data: join(disk.path, 'data') }));
  t.is(error.code, 'STORAGE_FULL');
});

test('a program that is missing or no nats-server is told, not waited for', async (t) => {
  const folder = await temporaryFolder(t);
  const trust = await ensureTrust(join(folder, 'keys'));
  const options = { folder: join(folder, 'data'), trust, port: 0 };
  const fake = join(folder, 'fake');
  await writeFile(fake, '#!/bin/sh\necho no such flag >&2\nexit 3\n');
  await chmod(fake, 0o755);
  const error = await rejection(startNatsServer({ ...options, binary: fake }));
  t.is(error.code, 'BUS_UNAVAILABLE');
  t.regex(error.message, /no such flag/);
  const missing = startNatsServer({ ...options, binary: join(folder, 'none') });
  t.is((await rejection(missing)).code, 'TOOL_MISSING');
});

test('the checkout names its nats-server, and a checkout without one is told how', async (t) => {
  const folder = await temporaryFolder(t);
  await mkdir(join(folder, '.tools', 'bin'), { recursive: true });
  const binary = join(folder, '.tools', 'bin', 'nats-server');
  await writeFile(binary, '');
  await chmod(binary, 0o755);
  const tools = join(folder, '.tools', 'tools.json');
  await writeFile(tools, JSON.stringify({ natsServer: { path: '.tools/bin/nats-server' } }));
  t.is(await findNatsServer(folder), binary);
  await writeFile(tools, 'damaged');
  const found = await findNatsServer(folder).catch((error: unknown) => error);
  t.not(found, binary);
});
