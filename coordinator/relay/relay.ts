import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from 'pino';
import type { Bus } from '../../bus/bus.ts';
import { listConsumers, removeConsumer } from '../../bus/stream-consumers.ts';
import { LockstepError } from '../../schemas/errors.ts';
import { relayConsumer, TELEMETRY_STREAM } from '../../schemas/subjects.ts';
import { ENDPOINT_NAME } from '../../telemetry/endpoints/endpoint-settings.ts';
import type { Destination } from '../../telemetry/payload.ts';
import { EndpointFeed } from './endpoint-feed.ts';
import type { EndpointHealth } from './endpoint-feed.ts';

/** Over what, and to where, a relay brings telemetry. */
export interface RelayOptions {
  readonly bus: Bus;
  /** Their names tell them apart, also over restarts. */
  readonly endpoints: readonly Destination[];
  readonly logger: Logger;
}

const DRAIN_LOOK_MS = 50;
/** A server that does not answer must not hold up a drain much beyond its deadline. */
const ASK_TIMEOUT_MS = 1000;

/**
 * Brings the telemetry of all devices from the stream to the endpoints. Each endpoint has its own
 * place in the stream, so none waits for another, and each goes on where it was left.
 */
export class Relay {
  readonly #feeds: readonly EndpointFeed[];

  private constructor(feeds: readonly EndpointFeed[]) {
    this.#feeds = feeds;
  }

  /**
   * Begins. Endpoints that were removed from the settings lose their place: the stream keeps
   * nothing for them any more. The stream must exist. The relay closes the endpoints in the end.
   *
   * @throws LockstepError ENDPOINTS_INVALID if two endpoints have one name, or one can't be used;
   * NOT_FOUND, BUS_UNAVAILABLE.
   */
  static async start({ bus, endpoints, logger }: RelayOptions): Promise<Relay> {
    checkNames(endpoints.map(({ name }) => name));
    const relay = new Relay(endpoints.map((endpoint) => new EndpointFeed(bus, endpoint, logger)));
    try {
      // Before others are removed: without any consumer the stream would drop what it has.
      for (const feed of relay.#feeds) await feed.start();
      await removeOthers(bus, endpoints, logger);
    } catch (error) {
      await relay.stop();
      throw error;
    }
    return relay;
  }

  /** How the way to each endpoint stands. */
  get health(): EndpointHealth[] {
    return this.#feeds.map(({ health }) => health);
  }

  /** Resolves with true when no endpoint lacks anything, with false after the deadline. */
  async drain(timeoutMs: number): Promise<boolean> {
    const untilMs = performance.now() + timeoutMs;
    for (;;) {
      const asked = Promise.all(this.#feeds.map((feed) => feed.isDrained()));
      const answer = await Promise.race([asked, delay(ASK_TIMEOUT_MS, undefined, { ref: false })]);
      if (answer?.includes(false) === false) return true;
      if (performance.now() >= untilMs) return false;
      await delay(DRAIN_LOOK_MS);
    }
  }

  /** Ends within 5 s, whatever the endpoints do; what they lack stays in the stream. */
  async stop(): Promise<void> {
    await Promise.all(this.#feeds.map((feed) => feed.stop()));
  }
}

function checkNames(names: readonly string[]): void {
  for (const [index, name] of names.entries()) {
    if (!ENDPOINT_NAME.test(name)) {
      throw new LockstepError('ENDPOINTS_INVALID', `"${name}" can not be the name of an endpoint`, {
        hint: 'Use letters, digits, - and _ only, 64 at most.',
      });
    }
    if (names.indexOf(name) !== index) {
      throw new LockstepError('ENDPOINTS_INVALID', `two endpoints have the name "${name}"`, {
        hint: 'Give each endpoint a name of its own; "env" is that of the OTEL_* variables.',
      });
    }
  }
}

async function removeOthers(
  bus: Bus,
  endpoints: readonly Destination[],
  logger: Logger,
): Promise<void> {
  const wanted = new Set(endpoints.map(({ name }) => relayConsumer(name)));
  for (const consumer of await listConsumers(bus, TELEMETRY_STREAM)) {
    if (!consumer.startsWith(relayConsumer('')) || wanted.has(consumer)) continue;
    logger.info({ consumer }, 'endpoint is no longer in the settings: its place is given up');
    await removeConsumer(bus, TELEMETRY_STREAM, consumer);
  }
}
