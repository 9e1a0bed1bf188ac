import type { Bus } from '../../bus/bus.ts';
import { publishDurable } from '../../bus/streams.ts';
import { errorCodeOf, errorMessageOf } from '../../schemas/errors.ts';
import type { Delivery } from '../payload.ts';
import type { SpoolDestination } from './drainer.ts';
import { messageOfPayload } from './payload-message.ts';
import type { SpooledPayload } from './spool.ts';

const PUBLISH_TIMEOUT_MS = 5000;

/**
 * The stream of telemetry as the destination of a spool. The name of a payload's file is its
 * message id, so that the stream drops what is sent again.
 */
export class NatsDestination implements SpoolDestination {
  readonly name = 'nats';
  readonly #bus: Bus;

  constructor(bus: Bus) {
    this.#bus = bus;
  }

  /** Waits while the link is down: what is published then is lost, and found out late. */
  async ready(signal: AbortSignal): Promise<void> {
    if (this.#bus.isConnected || signal.aborted) return;
    const connected = Promise.withResolvers<undefined>();
    const stop = (): void => {
      connected.resolve(undefined);
    };
    const forget = this.#bus.onStatus(({ type }) => {
      if (type === 'connected') stop();
    });
    signal.addEventListener('abort', stop, { once: true });
    await connected.promise;
    signal.removeEventListener('abort', stop);
    forget();
  }

  async send(payload: SpooledPayload, signal: AbortSignal): Promise<Delivery> {
    const { subject, headers, data } = messageOfPayload(payload, this.#bus.user);
    const options = { id: payload.id, headers, timeoutMs: PUBLISH_TIMEOUT_MS };
    const cut = Promise.withResolvers<never>();
    const onAbort = (): void => {
      cut.reject(new Error('cut off'));
    };
    signal.addEventListener('abort', onAbort, { once: true });
    if (signal.aborted) onAbort();
    try {
      await Promise.race([publishDurable(this.#bus, subject, data, options), cut.promise]);
      return { outcome: 'accepted', rejected: 0 };
    } catch (error) {
      const message = errorMessageOf(error);
      // Too big for the server, today and always.
      if (errorCodeOf(error) === 'MESSAGE_INVALID') return { outcome: 'refused', message };
      return { outcome: 'retry', message };
    } finally {
      signal.removeEventListener('abort', onAbort);
    }
  }

  async close(): Promise<void> {
    // The connection belongs to who made it.
  }
}
