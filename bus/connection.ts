import { setTimeout as delay } from 'node:timers/promises';
import { connect, errors } from 'nats';
import type { Authenticator, ConnectionOptions, NatsConnection } from 'nats';
import type { Logger } from 'pino';
import { errorMessageOf, LockstepError } from '../schemas/errors.ts';
import { inboxPrefix } from '../schemas/subjects.ts';
import { backOffMs } from './back-off.ts';
import { Bus } from './bus.ts';
import { credentialName } from './credential-file.ts';
import type { BusCredentials } from './credential-file.ts';
import { nkeyFromSeed } from './nkey.ts';

/** How to connect. */
export interface ConnectBusOptions {
  /** URLs of one server or of several of a cluster. */
  servers: string | string[];
  /** Absent (undefined): the server asks for none. */
  credentials: BusCredentials | undefined;
  /** What this connection is called in the server's lists. */
  name: string;
  /**
   * The user: its token is the inbox prefix. The name in the credential counts, if there is one.
   */
  user: string;
  /** How long the first connection may take, ms; Infinity waits for ever. Default 10 s. */
  waitMs?: number;
  /** Ends the wait for the first connection. */
  signal?: AbortSignal;
  logger?: Logger;
}

const FIRST_CONNECT_WAIT_MS = 10_000;
const DIAL_TIMEOUT_MS = 5000;
const PING_INTERVAL_MS = 15_000;
const RECONNECT = { baseMs: 100, capMs: 5000 };
const TIMER_SLACK_MS = 20;

/**
 * Connects to NATS. Once connected it never gives up: it dials again for ever, with jittered
 * back-off, and finds a half-open link within two missed pings.
 *
 * @throws LockstepError BUS_UNAVAILABLE if no server answered within `waitMs`.
 * @throws LockstepError BUS_DENIED if the server refused the credential.
 * @throws LockstepError CANCELLED if `signal` aborted.
 */
export async function connectBus(options: ConnectBusOptions): Promise<Bus> {
  const { waitMs = FIRST_CONNECT_WAIT_MS, signal, logger } = options;
  const user = userOf(options);
  const pauses = new DialPauses();
  const settings = connectionSettings(options, user, pauses);
  const deadlineMs = performance.now() + waitMs;
  for (let attempt = 1; ; attempt += 1) {
    const leftMs = deadlineMs - performance.now();
    const outcome = await dial(settings, Math.min(DIAL_TIMEOUT_MS, Math.max(100, leftMs)));
    if (!(outcome instanceof Error)) {
      // An abort during the dial must not leave a connection behind.
      if (signal?.aborted !== true) return startBus(outcome, { user, pauses, logger });
      await outcome.close();
    }
    if (signal?.aborted === true) {
      throw new LockstepError('CANCELLED', 'connecting to NATS was cancelled');
    }
    const pauseMs = backOffMs(attempt, RECONNECT);
    if (outcome instanceof Error) {
      refuseIfDenied(outcome, options);
      if (performance.now() + pauseMs > deadlineMs) throw unavailable(outcome, options, waitMs);
      logger?.debug({ error: errorMessageOf(outcome), attempt }, 'NATS not reached yet');
    }
    await delay(pauseMs, undefined, { signal }).catch(() => undefined);
  }
}

function connectionSettings(
  options: ConnectBusOptions,
  user: string,
  pauses: DialPauses,
): ConnectionOptions {
  return {
    servers: options.servers,
    name: options.name,
    inboxPrefix: inboxPrefix(user),
    reconnect: true,
    maxReconnectAttempts: -1,
    reconnectDelayHandler: () => pauses.next(),
    pingInterval: PING_INTERVAL_MS,
    maxPingOut: 2,
    // Two refusals in a row would otherwise close the connection for good.
    ignoreAuthErrorAbort: true,
    // Traces cost more than the request itself, and every error says on which subject it was.
    noAsyncTraces: true,
    ...(options.credentials === undefined
      ? {}
      : { authenticator: jwtAuthenticator(options.credentials) }),
  };
}

async function dial(
  settings: ConnectionOptions,
  timeoutMs: number,
): Promise<NatsConnection | Error> {
  try {
    return await connect({ ...settings, timeout: timeoutMs });
  } catch (error) {
    return error instanceof Error ? error : new Error(errorMessageOf(error));
  }
}

function startBus(
  connection: NatsConnection,
  { user, pauses, logger }: { user: string; pauses: DialPauses; logger: Logger | undefined },
): Bus {
  const bus = new Bus(connection, user, logger);
  bus.onStatus((status) => {
    if (status.type === 'connected') pauses.reset();
  });
  return bus;
}

function jwtAuthenticator({ jwt, seed }: BusCredentials): Authenticator {
  const nkey = nkeyFromSeed(seed);
  return (nonce) => ({
    jwt,
    nkey: nkey.publicKey,
    sig: nkey.sign(nonce ?? '').toString('base64url'),
  });
}

function refuseIfDenied(error: Error, { servers, user }: ConnectBusOptions): void {
  const isDenied = [error, error.cause].some(
    (cause) =>
      cause instanceof errors.AuthorizationError ||
      cause instanceof errors.UserAuthenticationExpiredError,
  );
  if (!isDenied) return;
  throw new LockstepError(
    'BUS_DENIED',
    `the NATS server at ${String(servers)} refused user ${user}: ${errorMessageOf(error)}`,
    { hint: 'Issue a new credential from the trust folder of that server.', cause: error },
  );
}

function unavailable(error: Error, { servers }: ConnectBusOptions, waitMs: number): LockstepError {
  return new LockstepError(
    'BUS_UNAVAILABLE',
    `no NATS server at ${String(servers)} answered within ${waitMs} ms: ${errorMessageOf(error)}`,
    { hint: 'Check that the server runs there and that nothing blocks the port.', cause: error },
  );
}

// Names in credentials of devices are device ids; those of other roles are "<role>_<user>", which
// no device id can be.
function userOf({ credentials, user }: ConnectBusOptions): string {
  if (credentials === undefined) return user;
  const name = credentialName(credentials.jwt);
  if (name === user || name.endsWith(`_${user}`)) return name;
  throw new LockstepError('BUS_DENIED', `the NATS credential is for ${name}, not for ${user}`, {
    hint: 'Use the credential that was issued for this name.',
  });
}

/**
 * The pauses between dials. The client library asks for one at every turn of its loop, also while
 * it waits: the answer stays the same until that pause is over, or pauses would grow by waiting.
 */
class DialPauses {
  #count = 0;
  #pauseMs = 0;
  #untilMs = 0;

  next(): number {
    const nowMs = performance.now();
    if (nowMs > this.#untilMs) {
      this.#count += 1;
      this.#pauseMs = backOffMs(this.#count, RECONNECT);
      this.#untilMs = nowMs + this.#pauseMs + TIMER_SLACK_MS;
    }
    return this.#pauseMs;
  }

  reset(): void {
    this.#count = 0;
    this.#untilMs = 0;
  }
}
