import { setTimeout as delay } from 'node:timers/promises';
import { jetstream } from '@nats-io/jetstream';
import type { Consumer, ConsumerMessages, JsMsg } from '@nats-io/jetstream';
import type { Logger } from 'pino';
import { errorCodeOf, errorMessageOf } from '../schemas/errors.ts';
import { backOffMs } from './back-off.ts';
import type { Bus, Listening } from './bus.ts';
import { ensureConsumer } from './streams.ts';
import type { StreamMessage } from './streams.ts';

/** Which messages to consume, and how patiently. */
export interface DurableConsumer {
  stream: string;
  /** Name of the durable consumer: it remembers what was acknowledged. */
  consumer: string;
  /** After this, ms, the server gives an unacknowledged message again. Default 5 s. */
  ackWaitMs?: number;
  /** A message that failed this often is given up, with a log line. Default 8. */
  maxTries?: number;
  logger?: Logger;
}

const ACK_WAIT_MS = 5000;
const ACK_TIMEOUT_MS = 2000;
const ACK_TRIES = 5;
const MAX_TRIES = 8;
// A long one would leave the consumer deaf for as long after the server was restarted.
const PULL_EXPIRES_MS = 3000;
const RETRY = { baseMs: 200, capMs: 5000 };
const CLOSE_DEADLINE_MS = 5000;
/** Failures of this process, not of the message: it is tried again for ever. */
const NOT_THE_MESSAGE = new Set(['STORAGE_FULL', 'STORAGE_FAILED', 'BUS_UNAVAILABLE']);

/**
 * Gives every message of a stream to the handler, in order and one at a time, from where the
 * consumer was left; a message counts as done when the handler resolved and the server knows it.
 * So each is handled at least once. A message whose handler rejects is tried again after a pause,
 * before any later one; after `maxTries` it is left in the stream and passed over.
 *
 * @throws LockstepError NOT_FOUND if there is no such stream.
 */
export async function consumeDurable(
  bus: Bus,
  spec: DurableConsumer,
  handler: (message: StreamMessage) => Promise<void>,
): Promise<Listening> {
  const { stream, consumer, ackWaitMs = ACK_WAIT_MS } = spec;
  await ensureConsumer(bus, { stream, consumer, ackWaitMs });
  const stopping = new AbortController();
  const ended = pullUntilStopped(bus, { ...spec, ackWaitMs }, handler, stopping.signal);
  return {
    close: async () => {
      stopping.abort();
      await Promise.race([ended, delay(CLOSE_DEADLINE_MS, undefined, { ref: false })]);
    },
  };
}

type Spec = DurableConsumer & { ackWaitMs: number };
type Handler = (message: StreamMessage) => Promise<void>;

async function pullUntilStopped(
  bus: Bus,
  spec: Spec,
  handler: Handler,
  signal: AbortSignal,
): Promise<void> {
  let consumer: Consumer | undefined;
  let failures = 0;
  while (!signal.aborted && !bus.connection.isClosed()) {
    try {
      consumer ??= await openConsumer(bus, spec);
      await pullOnce(consumer, spec, handler, signal);
      failures = 0;
    } catch (error) {
      consumer = undefined;
      failures += 1;
      spec.logger?.warn(
        { stream: spec.stream, error: errorMessageOf(error), failures },
        'consuming interrupted',
      );
      await delay(backOffMs(failures, RETRY), undefined, { signal }).catch(() => undefined);
    }
  }
}

// Made again if it is gone, as after the loss of the server's storage.
async function openConsumer(bus: Bus, spec: Spec): Promise<Consumer> {
  const { stream, consumer, ackWaitMs } = spec;
  await ensureConsumer(bus, { stream, consumer, ackWaitMs });
  return jetstream(bus.connection).consumers.get(stream, consumer);
}

async function pullOnce(
  consumer: Consumer,
  spec: Spec,
  handler: Handler,
  signal: AbortSignal,
): Promise<void> {
  const messages: ConsumerMessages = await consumer.fetch({
    max_messages: 64,
    expires: PULL_EXPIRES_MS,
  });
  const stop = (): void => {
    messages.stop();
  };
  signal.addEventListener('abort', stop, { once: true });
  try {
    for await (const message of messages) {
      await handleOne(message, spec, handler);
      if (signal.aborted) return;
    }
  } finally {
    signal.removeEventListener('abort', stop);
  }
}

async function handleOne(message: JsMsg, spec: Spec, handler: Handler): Promise<void> {
  const heartbeat = setInterval(() => {
    message.working();
  }, spec.ackWaitMs / 3);
  try {
    await handler({ subject: message.subject, data: message.data, sequence: message.seq });
  } catch (error) {
    giveBack(message, spec, error);
    return;
  } finally {
    clearInterval(heartbeat);
  }
  await acknowledge(message);
}

// Repeated over an interruption, because the server holds back all later messages until it knows.
// In the end the message comes again, as the contract says.
async function acknowledge(message: JsMsg): Promise<void> {
  for (let tries = 1; ; tries += 1) {
    try {
      await message.ackAck({ timeout: ACK_TIMEOUT_MS });
      return;
    } catch (error) {
      if (tries >= ACK_TRIES) throw error;
      await delay(backOffMs(tries, RETRY));
    }
  }
}

function giveBack(message: JsMsg, spec: Spec, error: unknown): void {
  const tries = message.info.deliveryCount;
  const facts = {
    stream: spec.stream,
    subject: message.subject,
    sequence: message.seq,
    tries,
    error: errorMessageOf(error),
  };
  if (tries >= (spec.maxTries ?? MAX_TRIES) && !NOT_THE_MESSAGE.has(errorCodeOf(error))) {
    spec.logger?.error(facts, 'message given up: it stays in the stream, unprocessed');
    message.term('given up');
    return;
  }
  spec.logger?.warn(facts, 'message failed, will be tried again');
  message.nak(backOffMs(tries, RETRY));
}
