import type { Msg, NatsConnection, Status, Subscription } from 'nats';
import type { Logger } from 'pino';
import type { z } from 'zod';
import { errorMessageOf, LockstepError } from '../schemas/errors.ts';
import { busError, errorHeaders, errorOfReply } from './bus-error.ts';
import { decodeHeaders, encodeHeaders } from './message-headers.ts';
import type { MessageHeaders } from './message-headers.ts';
import {
  checkMessageSize,
  decodeFromBytes,
  encodeToBytes,
  MAX_MESSAGE_BYTES,
} from './wire-format.ts';
import type { MessageOf } from './wire-format.ts';

/** The two shapes of a request: what is asked, and what is answered. */
export interface Exchange<Request extends z.ZodType, Reply extends z.ZodType> {
  request: Request;
  reply: Reply;
}

/** What {@link Bus.onStatus} tells: the connection came, went, or the server refused something. */
export type BusStatus =
  { type: 'connected' | 'disconnected' | 'closed' } | { type: 'error'; error: LockstepError };

/** Something that receives messages until it is closed. */
export interface Listening {
  /** Receives no more, and resolves when the handlers that run have ended, or a deadline passed. */
  close(): Promise<void>;
}

/** Bounds of a responder or subscriber. */
export interface ListenOptions {
  /** Requests served, or messages queued, at the same time; more are refused or dropped. */
  maxInFlight?: number;
}

const DEFAULT_IN_FLIGHT = 64;
const DEFAULT_QUEUED = 4096;
const CLOSE_DEADLINE_MS = 3000;
const LISTEN_DEADLINE_MS = 5000;

/**
 * One connection to NATS with typed messages. It reconnects for ever; while it is down, requests
 * run into their deadline and published core messages are lost, as core NATS has it: what must not
 * be lost goes through an outbox and a stream.
 */
export class Bus {
  /** The client library's connection, for the other files of this folder. */
  readonly connection: NatsConnection;
  /** The name in the inbox prefix of this connection. */
  readonly user: string;
  readonly #logger: Logger | undefined;
  readonly #listeners = new Set<(status: BusStatus) => void>();
  #isConnected = true;

  constructor(connection: NatsConnection, user: string, logger?: Logger) {
    this.connection = connection;
    this.user = user;
    this.#logger = logger;
    void this.#followStatus();
  }

  /** True while the connection to a server stands. */
  get isConnected(): boolean {
    return this.#isConnected && !this.connection.isClosed();
  }

  /** The version of the server. Absent before the first connection. */
  get serverVersion(): string | undefined {
    return this.connection.info?.version;
  }

  /** The bound of one message on this connection, bytes. */
  get maxMessageBytes(): number {
    return Math.min(MAX_MESSAGE_BYTES, this.connection.info?.max_payload ?? MAX_MESSAGE_BYTES);
  }

  /** Calls the listener at each change; returns the function that ends that. */
  onStatus(listener: (status: BusStatus) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /**
   * Asks one question and checks the answer.
   *
   * @throws LockstepError NOT_FOUND (nobody serves the subject), DEADLINE_EXCEEDED, BUS_DENIED,
   * BUS_UNAVAILABLE, MESSAGE_INVALID, PROTOCOL_UNSUPPORTED, or what the responder threw.
   */
  async request<Request extends z.ZodType, Reply extends z.ZodType>(
    subject: string,
    exchange: Exchange<Request, Reply>,
    message: MessageOf<Request>,
    { timeoutMs, headers }: { timeoutMs: number; headers?: MessageHeaders },
  ): Promise<z.output<Reply>> {
    const bytes = encodeToBytes(exchange.request, message);
    const reply = await this.#ask(subject, bytes, timeoutMs, headers);
    return decodeFromBytes(exchange.reply, reply.data, `the responder on ${subject}`);
  }

  /** Sends bytes and resolves with the answer's bytes; the caller checks them. Errors as above. */
  async requestRaw(subject: string, bytes: Uint8Array, timeoutMs: number): Promise<Uint8Array> {
    return (await this.#ask(subject, bytes, timeoutMs)).data;
  }

  /** Sends a message to whoever listens now; it may be lost. */
  publish<S extends z.ZodType>(subject: string, schema: S, message: MessageOf<S>): void {
    const bytes = encodeToBytes(schema, message);
    checkMessageSize(bytes.byteLength, this.maxMessageBytes);
    try {
      this.connection.publish(subject, bytes);
    } catch (error) {
      throw busError(error, `message on ${subject}`);
    }
  }

  /**
   * Handles messages one after another, in order. Invalid ones are logged and dropped; so are those
   * that arrive while `maxInFlight` wait. An error of the handler is logged.
   */
  async subscribe<S extends z.ZodType>(
    subject: string,
    schema: S,
    handler: (message: z.output<S>, subject: string) => void | Promise<void>,
    { maxInFlight = DEFAULT_QUEUED }: ListenOptions = {},
  ): Promise<Listening> {
    let tail: Promise<void> = Promise.resolve();
    let queued = 0;
    const handle = async (received: Msg): Promise<void> => {
      try {
        const message = decodeFromBytes(schema, received.data, received.subject);
        await handler(message, received.subject);
      } catch (error) {
        this.#logger?.warn(
          { subject: received.subject, error: errorMessageOf(error) },
          'message dropped',
        );
      } finally {
        queued -= 1;
      }
    };
    return this.#listen(subject, (received) => {
      if (queued >= maxInFlight) {
        this.#logger?.warn({ subject: received.subject, queued }, 'message dropped: queue full');
        return undefined;
      }
      queued += 1;
      tail = tail.then(() => handle(received));
      return tail;
    });
  }

  /**
   * Answers requests, up to `maxInFlight` at once. What the handler throws, and an invalid or
   * unsupported request, goes back as an error that {@link Bus.request} throws on the other side.
   */
  async respond<Request extends z.ZodType, Reply extends z.ZodType>(
    subject: string,
    exchange: Exchange<Request, Reply>,
    handler: (
      message: z.output<Request>,
      subject: string,
      headers: MessageHeaders,
    ) => MessageOf<Reply> | Promise<MessageOf<Reply>>,
    { maxInFlight = DEFAULT_IN_FLIGHT }: ListenOptions = {},
  ): Promise<Listening> {
    let inFlight = 0;
    const answer = async (received: Msg): Promise<void> => {
      inFlight += 1;
      try {
        if (inFlight > maxInFlight) {
          throw new LockstepError(
            'BUS_UNAVAILABLE',
            `${maxInFlight} requests on ${received.subject} are already being served`,
            { hint: 'Try again shortly.' },
          );
        }
        const request = decodeFromBytes(exchange.request, received.data, `${subject} requester`);
        const headers = decodeHeaders(received.headers);
        const answered = await handler(request, received.subject, headers);
        const reply = encodeToBytes(exchange.reply, answered);
        checkMessageSize(reply.byteLength, this.maxMessageBytes);
        received.respond(reply);
      } catch (error) {
        this.#refuse(received, error);
      } finally {
        inFlight -= 1;
      }
    };
    return this.#listen(subject, answer);
  }

  /**
   * Answers requests with the least work in between: the handler gets the bytes in the turn in
   * which they were read, and what it returns is sent in that turn.
   */
  async respondRaw(
    subject: string,
    handler: (bytes: Uint8Array, subject: string) => Uint8Array,
  ): Promise<Listening> {
    return this.#listen(subject, (received) => {
      try {
        received.respond(handler(received.data, received.subject));
      } catch (error) {
        this.#refuse(received, error);
      }
      return undefined;
    });
  }

  /** Hands each message to a handler in the turn in which it was read; for this folder's files. */
  async listenRaw(subject: string, handler: (received: Msg) => void): Promise<Listening> {
    return this.#listen(subject, (received) => {
      handler(received);
      return undefined;
    });
  }

  /** Resolves when the server has seen all that was sent before. */
  async flush(timeoutMs: number): Promise<void> {
    const what = 'flush';
    try {
      await withDeadline(this.connection.flush(), timeoutMs, what);
    } catch (error) {
      throw busError(error, what);
    }
  }

  /** Drains: handlers end, what was sent leaves; after `deadlineMs` it closes anyway. */
  async close({ deadlineMs = CLOSE_DEADLINE_MS }: { deadlineMs?: number } = {}): Promise<void> {
    if (this.connection.isClosed()) return;
    try {
      if (this.isConnected) await withDeadline(this.connection.drain(), deadlineMs, 'drain');
    } catch (error) {
      this.#logger?.debug({ error: errorMessageOf(error) }, 'connection not drained');
    } finally {
      await this.connection.close();
    }
  }

  async #ask(
    subject: string,
    bytes: Uint8Array,
    timeoutMs: number,
    headers?: MessageHeaders,
  ): Promise<Msg> {
    const what = `request on ${subject}`;
    checkMessageSize(bytes.byteLength, this.maxMessageBytes);
    try {
      const encoded = encodeHeaders(headers);
      const reply = await this.connection.request(subject, bytes, {
        timeout: timeoutMs,
        ...(encoded === undefined ? {} : { headers: encoded }),
      });
      const error = errorOfReply(reply, `the responder on ${subject}`);
      if (error !== undefined) throw error;
      return reply;
    } catch (error) {
      const mapped = busError(error, what);
      if (mapped.code !== 'DEADLINE_EXCEEDED' || this.isConnected || mapped === error) throw mapped;
      throw new LockstepError('BUS_UNAVAILABLE', `no connection to NATS for ${what}`, {
        hint: 'The connection is being re-established; try again shortly.',
        cause: error,
      });
    }
  }

  // The handler's promise, if it returns one, is awaited by close().
  async #listen(
    subject: string,
    handler: (received: Msg) => Promise<void> | undefined,
  ): Promise<Listening> {
    const running = new Set<Promise<void>>();
    const { connection } = this;
    const subscription = connection.subscribe(subject, {
      callback: (error, received) => {
        if (error !== null) return undefined;
        const work = handler(received);
        if (work !== undefined) {
          running.add(work);
          void work.finally(() => running.delete(work));
        }
        return undefined;
      },
    });
    await this.#confirm(subscription, subject);
    return {
      close: async () => {
        subscription.unsubscribe();
        // While the server is away nothing arrives anyway.
        if (this.isConnected) await this.flush(CLOSE_DEADLINE_MS).catch(() => undefined);
        const all = Promise.allSettled([...running]);
        await withDeadline(all, CLOSE_DEADLINE_MS, `handlers of ${subject}`).catch(
          (error: unknown) => {
            this.#logger?.warn({ subject, error: errorMessageOf(error) }, 'handlers still run');
          },
        );
      },
    };
  }

  // A refusal arrives before the answer to the flush, as one connection keeps its order.
  async #confirm(subscription: Subscription, subject: string): Promise<void> {
    const closed = subscription.closed.then((error) => {
      if (error instanceof Error) throw busError(error, `subscription to ${subject}`);
    });
    closed.catch(() => undefined);
    try {
      await Promise.race([this.flush(LISTEN_DEADLINE_MS), closed]);
      if (subscription.isClosed()) await closed;
    } catch (error) {
      const mapped = busError(error, `subscription to ${subject}`);
      // While the server is away the subscription stands, and is made at the next connection.
      if (mapped.code === 'BUS_DENIED' || subscription.isClosed()) throw mapped;
    }
  }

  #refuse(received: Msg, error: unknown): void {
    const isExpected = error instanceof LockstepError;
    this.#logger?.[isExpected ? 'debug' : 'error'](
      { subject: received.subject, error: isExpected ? error.message : error },
      'request refused',
    );
    try {
      received.respond(new Uint8Array(), { headers: errorHeaders(error) });
    } catch (sendError) {
      this.#logger?.debug({ error: errorMessageOf(sendError) }, 'refusal not sent');
    }
  }

  async #followStatus(): Promise<void> {
    try {
      for await (const status of this.connection.status()) this.#note(status);
    } finally {
      this.#isConnected = false;
      this.#tell({ type: 'closed' });
    }
  }

  #note(status: Status): void {
    if (status.type === 'disconnect') {
      this.#isConnected = false;
      this.#logger?.warn({ server: status.server }, 'connection to NATS lost');
      this.#tell({ type: 'disconnected' });
    } else if (status.type === 'reconnect') {
      this.#isConnected = true;
      this.#logger?.info({ server: status.server }, 'connected to NATS again');
      this.#tell({ type: 'connected' });
    } else if (status.type === 'error') {
      const error = busError(status.error, 'an operation on the connection');
      this.#logger?.warn({ error: error.message }, 'NATS reported an error');
      this.#tell({ type: 'error', error });
    }
  }

  #tell(status: BusStatus): void {
    for (const listener of this.#listeners) listener(status);
  }
}

async function withDeadline<T>(work: Promise<T>, timeoutMs: number, what: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const deadline = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => {
      reject(new LockstepError('DEADLINE_EXCEEDED', `${what} did not end within ${timeoutMs} ms`));
    }, timeoutMs);
  });
  try {
    return await Promise.race([work, deadline]);
  } finally {
    clearTimeout(timer);
  }
}
