import { join } from 'node:path';
import type { Logger } from 'pino';
import { ensureCredentials, ensureTrust } from '../../provisioning/nats/credentials.ts';
import { findNatsServer } from '../../provisioning/nats/find-server.ts';
import { startNatsServer } from '../../provisioning/nats/server.ts';
import { CHECKOUT_FOLDER } from './home.ts';
import type { Home } from './home.ts';

/** What to start. */
export interface EmbeddedServerOptions {
  readonly home: Home;
  /** Address and port; port 0 takes any free one. */
  readonly host: string;
  readonly port: number;
  /** Devices that get a credential here, beside coordinator, timekeeper and researcher. */
  readonly deviceIds: readonly string[];
  readonly logger: Logger;
}

/** A server that runs. */
export interface EmbeddedServer {
  readonly url: string;
  /** Resolves with the reason if it ended by itself. */
  readonly failed: Promise<string>;
  stop(): Promise<void>;
}

/**
 * Starts the NATS server of a data folder, whose keys are made at the first start, and writes the
 * credentials of those who work on this machine.
 *
 * @throws LockstepError as findNatsServer and startNatsServer do.
 */
export async function startEmbeddedServer(options: EmbeddedServerOptions): Promise<EmbeddedServer> {
  const { home, host, port, logger } = options;
  const trust = await ensureTrust(join(home.natsFolder, 'trust'));
  const binary = await findNatsServer(CHECKOUT_FOLDER);
  const folder = join(home.natsFolder, 'server');
  for (const role of ['coordinator', 'timekeeper', 'researcher'] as const) {
    await ensureCredentials(trust, { role, user: role, path: home.credentialFile(role) });
  }
  for (const deviceId of options.deviceIds) {
    const path = home.credentialFile(deviceId);
    await ensureCredentials(trust, { role: 'device', user: deviceId, path });
  }
  const server = await startNatsServer({ binary, folder, trust, host, port, logger });
  const failed = server.exited.then(
    ({ code, signal, logTail }) =>
      `nats-server ended (${signal ?? `code ${code ?? '?'}`}): ${logTail.trim()}`,
  );
  return { url: server.url, failed, stop: () => server.stop() };
}
