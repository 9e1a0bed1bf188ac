import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Bus } from '../../bus/bus.ts';
import { connectBus } from '../../bus/connection.ts';
import { ensureTrust, issueCredentials } from '../../provisioning/nats/credentials.ts';
import type { Trust } from '../../provisioning/nats/credentials.ts';
import { findNatsServer } from '../../provisioning/nats/find-server.ts';
import type { Role } from '../../provisioning/nats/roles.ts';
import { startNatsServer } from '../../provisioning/nats/server.ts';
import type { NatsServer } from '../../provisioning/nats/server.ts';

/** The part of ava's context that undoes things at the end of a test. */
export interface Teardown {
  teardown(undo: () => Promise<void>): void;
}

/** A real nats-server of one test, on a free loopback port with a folder of its own. */
export interface TestBus {
  readonly url: string;
  readonly folder: string;
  readonly trust: Trust;
  readonly server: NatsServer;
  /** Connects with a fresh credential of that role; closed at the end of the test. */
  connect(who: { role: Role; user: string }): Promise<Bus>;
  /** Kills the server as a crash would; resolves when it is gone. */
  kill(): Promise<void>;
  /** Starts the server again on the same port and folder. */
  restart(): Promise<void>;
  /** Starts a server with other keys and streams on the same port; the caller stops it. */
  restartWithNewTrust(): Promise<NatsServer>;
}

/** The checkout that the tests belong to. */
export const CHECKOUT = join(import.meta.dirname, '..', '..');

/** Starts a server for one test; everything is gone after it. */
export async function startTestBus(t: Teardown): Promise<TestBus> {
  const folder = await mkdtemp(join(tmpdir(), 'lockstep-nats-'));
  t.teardown(async () => rm(folder, { recursive: true, force: true, maxRetries: 3 }));
  const binary = await findNatsServer(CHECKOUT);
  const trust = await ensureTrust(join(folder, 'keys'));
  const dataFolder = join(folder, 'nats');
  let server = await startNatsServer({ binary, folder: dataFolder, trust, port: 0 });
  t.teardown(async () => server.stop());
  const { url, port } = server;
  return {
    url,
    folder,
    trust,
    get server() {
      return server;
    },
    connect: async ({ role, user }) => {
      const bus = await connectBus({
        servers: url,
        credentials: issueCredentials(trust, { role, user }),
        name: `test ${user}`,
        user,
      });
      t.teardown(async () => bus.close());
      return bus;
    },
    kill: async () => {
      process.kill(server.pid, 'SIGKILL');
      await server.exited;
    },
    restart: async () => {
      server = await startNatsServer({ binary, folder: dataFolder, trust, port });
    },
    restartWithNewTrust: async () =>
      startNatsServer({
        binary,
        folder: join(folder, 'other'),
        trust: await ensureTrust(join(folder, 'other-keys')),
        port,
      }),
  };
}
