import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from 'pino';
import type { Bus } from '../../bus/bus.ts';
import { consumeInParallel } from '../../bus/parallel-consumer.ts';
import type { HeadedMessage, ParallelListening } from '../../bus/parallel-consumer.ts';
import { errorMessageOf } from '../../schemas/errors.ts';
import { relayConsumer, TELEMETRY_STREAM } from '../../schemas/subjects.ts';
import type { Delivery, Destination, Payload } from '../../telemetry/payload.ts';
import { payloadOfMessage } from '../../telemetry/spool/payload-message.ts';
import { BackOffGate } from './back-off-gate.ts';

/** How the way to one endpoint stands. Counts are since the relay began. */
export interface EndpointHealth {
  readonly endpoint: string;
  /** Points, spans and log records that the endpoint took. */
  readonly accepted: number;
  /** Refused one by one, in payloads that were taken. */
  readonly rejected: number;
  /** In payloads that were refused as a whole. */
  readonly refused: number;
  readonly acceptedPayloads: number;
  readonly refusedPayloads: number;
  /** Payloads that the stream dropped before this endpoint had them. Their items are unknown. */
  readonly missed: number;
  /** Attempts that failed and were repeated. */
  readonly retries: number;
  /** Payloads that this endpoint has not got yet, as last heard. */
  readonly behind: number;
  readonly lastError: { readonly message: string; readonly atUtcMs: number } | undefined;
}

type Counts = Omit<EndpointHealth, 'endpoint' | 'missed' | 'behind' | 'lastError'>;

/** Payloads on their way to one endpoint at the same time; of one device and signal only one. */
const IN_FLIGHT_MAX = 8;
/** What is on its way when the relay stops may take so long to end, ms. */
const GRACE_MS = 2000;
const CUT_DEADLINE_MS = 500;
const MESSAGE_CHARACTERS_MAX = 500;

/**
 * Brings every payload of the stream to one endpoint, until it is accepted or refused. Payloads of
 * one device and signal arrive in order; those of others do not wait for them.
 */
export class EndpointFeed {
  readonly #bus: Bus;
  readonly #destination: Destination;
  readonly #logger: Logger;
  readonly #stopping = new AbortController();
  readonly #cut = new AbortController();
  readonly #gate = new BackOffGate(this.#stopping.signal);
  readonly #lanes = new Map<string, Promise<boolean>>();
  #listening: ParallelListening | undefined;
  #stopped: Promise<void> | undefined;
  #sending = 0;
  #counts: Counts = {
    ...{ accepted: 0, rejected: 0, refused: 0 },
    ...{ acceptedPayloads: 0, refusedPayloads: 0, retries: 0 },
  };
  #lastError: EndpointHealth['lastError'];

  constructor(bus: Bus, destination: Destination, logger: Logger) {
    this.#bus = bus;
    this.#destination = destination;
    this.#logger = logger;
  }

  /** How it stands now. */
  get health(): EndpointHealth {
    return {
      endpoint: this.#destination.name,
      ...this.#counts,
      missed: this.#listening?.missed ?? 0,
      behind: this.#listening?.behind ?? 0,
      lastError: this.#lastError,
    };
  }

  /** True if the endpoint lacks nothing, asked of the server now. */
  async isDrained(): Promise<boolean> {
    return (await this.#listening?.countBehind()) === 0;
  }

  /** Begins where it was left. @throws LockstepError as consumeInParallel. */
  async start(): Promise<void> {
    const spec = {
      stream: TELEMETRY_STREAM,
      consumer: relayConsumer(this.#destination.name),
      maxInFlight: IN_FLIGHT_MAX,
      logger: this.#logger,
    };
    this.#listening = await consumeInParallel(this.#bus, spec, (message) => this.#queue(message));
  }

  /**
   * Begins nothing more, lets what is on its way end within a while, then cuts it off. What is not
   * accepted stays in the stream. Resolves within 5 s.
   */
  async stop(): Promise<void> {
    this.#stopped ??= this.#stop();
    await this.#stopped;
  }

  async #stop(): Promise<void> {
    this.#stopping.abort();
    const graceUntilMs = performance.now() + GRACE_MS;
    while (this.#sending > 0 && performance.now() < graceUntilMs) await delay(10);
    this.#cut.abort();
    await this.#listening?.close();
    await Promise.race([this.#destination.close(), delay(CUT_DEADLINE_MS)]).catch(() => undefined);
  }

  /** One after another for each subject, that is for each device and signal. */
  async #queue(message: HeadedMessage): Promise<boolean> {
    const { subject } = message;
    const before = this.#lanes.get(subject) ?? Promise.resolve(true);
    const work = before.then(() => this.#deliver(message));
    this.#lanes.set(subject, work);
    const isDone = await work;
    if (this.#lanes.get(subject) === work) this.#lanes.delete(subject);
    return isDone;
  }

  async #deliver(message: HeadedMessage): Promise<boolean> {
    const payload = payloadOfMessage(message);
    if (payload === undefined) {
      this.#noteRefused(message, 0, 'the message is no payload of OTLP');
      return true;
    }
    while (await this.#gate.enter()) {
      const delivery = await this.#send(payload);
      const isRetry = delivery.outcome === 'retry';
      this.#gate.leave(isRetry ? { afterMs: delivery.afterMs } : undefined);
      if (delivery.outcome === 'accepted') {
        this.#noteAccepted(message, payload, delivery);
        return true;
      }
      if (delivery.outcome === 'refused') {
        this.#noteRefused(message, payload.items, delivery.message);
        return true;
      }
      this.#noteRetry(message, delivery.message);
    }
    return false;
  }

  async #send(payload: Payload): Promise<Delivery> {
    this.#sending += 1;
    try {
      return await this.#destination.send(payload, this.#cut.signal);
    } catch (error) {
      return { outcome: 'retry', message: errorMessageOf(error) };
    } finally {
      this.#sending -= 1;
    }
  }

  #noteAccepted(
    message: HeadedMessage,
    { items }: Payload,
    { rejected, message: text = '' }: Delivery & { outcome: 'accepted' },
  ): void {
    const before = this.#counts;
    this.#counts = {
      ...before,
      accepted: before.accepted + Math.max(0, items - rejected),
      rejected: before.rejected + rejected,
      acceptedPayloads: before.acceptedPayloads + 1,
    };
    if (rejected > 0) this.#noteError(message, `${rejected} of ${items} items refused: ${text}`);
  }

  #noteRefused(message: HeadedMessage, items: number, text: string): void {
    const before = this.#counts;
    this.#counts = {
      ...before,
      refused: before.refused + items,
      refusedPayloads: before.refusedPayloads + 1,
    };
    this.#noteError(message, `payload of ${items} items refused: ${text}`);
  }

  #noteRetry(message: HeadedMessage, text: string): void {
    this.#counts = { ...this.#counts, retries: this.#counts.retries + 1 };
    this.#noteError(message, `not accepted, will be sent again: ${text}`);
  }

  #noteError({ subject, sequence }: HeadedMessage, text: string): void {
    const error = text.slice(0, MESSAGE_CHARACTERS_MAX);
    this.#lastError = { message: error, atUtcMs: Date.now() };
    const facts = { endpoint: this.#destination.name, subject, sequence, error };
    this.#logger.warn(facts, 'endpoint of telemetry');
  }
}
