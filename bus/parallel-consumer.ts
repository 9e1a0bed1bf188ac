import { setTimeout as delay } from 'node:timers/promises';
import { jetstream } from '@nats-io/jetstream';
import type { Consumer, JsMsg } from '@nats-io/jetstream';
import type { Logger } from 'pino';
import { errorMessageOf } from '../schemas/errors.ts';
import { backOffMs } from './back-off.ts';
import type { Bus, Listening } from './bus.ts';
import { MissedSequences } from './missed-sequences.ts';
import { readConsumerState } from './stream-consumers.ts';
import type { ConsumerState } from './stream-consumers.ts';
import { ensureConsumer } from './streams.ts';
import type { StreamMessage } from './streams.ts';

/** Which messages to consume, and how many at once. */
export interface ParallelConsumer {
  readonly stream: string;
  /** Name of the durable consumer: it remembers what was acknowledged. */
  readonly consumer: string;
  /** Messages that the handler has at the same time, at most. */
  readonly maxInFlight: number;
  /** After this, ms, the server gives a message of a process that died again. Default 5 s. */
  readonly ackWaitMs?: number;
  readonly logger?: Logger;
}

/** A message with its headers, by name. */
export interface HeadedMessage extends StreamMessage {
  readonly headers: Readonly<Record<string, string>>;
}

/**
 * Resolves with true when the message is done; with false if it is not, because all is to end: then
 * it is given back when the consumer closes. Never rejects.
 */
export type ParallelHandler = (message: HeadedMessage) => Promise<boolean>;

const ACK_WAIT_MS = 5000;
const ACK_TIMEOUT_MS = 1000;
const ACK_TRIES = 5;
const PULL_EXPIRES_MS = 3000;
const RETRY = { baseMs: 200, capMs: 5000 };
const LOOK_EVERY_MS = 2000;
const CLOSE_DEADLINE_MS = 1500;
const RECENT_MAX = 1024;
const SAME_WITHIN_MS = 1000;
/** How much longer than until the server gives them again is waited for given messages, ms. */
const GATHER_SLACK_MS = 1000;

/**
 * Gives every message of a stream to the handler, in order and several at a time, from where the
 * consumer was left. A message stays with the handler as long as that takes. While this process
 * lives none is given twice, whatever happens to the server; those that a process had when it was
 * killed are given again.
 *
 * @throws LockstepError NOT_FOUND if there is no such stream.
 */
export async function consumeInParallel(
  bus: Bus,
  spec: ParallelConsumer,
  handler: ParallelHandler,
): Promise<ParallelListening> {
  const listening = new ParallelListening(bus, spec, handler);
  await listening.open();
  return listening;
}

interface InFlight {
  /** The copy that was given last: only that one keeps the server waiting. */
  message: JsMsg;
  readonly work: Promise<void>;
}

/** A consumer at work. */
export class ParallelListening implements Listening {
  readonly #bus: Bus;
  readonly #spec: ParallelConsumer & { readonly ackWaitMs: number };
  readonly #handler: ParallelHandler;
  readonly #closing = new AbortController();
  readonly #inFlight = new Map<number, InFlight>();
  /** Done, of late: a copy may still be on its way. */
  readonly #recent = new Set<number>();
  readonly #undone = new Map<number, JsMsg>();
  /** Kept back until those of an earlier process are there, as they come before. */
  readonly #gathered: JsMsg[] = [];
  #gatherUntilMs = 0;
  #madeAtUtcMs = 0;
  #sequences = new MissedSequences({ givenSequence: 0, unacknowledged: 0 });
  #missedBefore = 0;
  #waiting = 0;
  #slot = Promise.withResolvers<undefined>();
  #ended: Promise<unknown> = Promise.resolve();

  constructor(bus: Bus, spec: ParallelConsumer, handler: ParallelHandler) {
    this.#bus = bus;
    this.#spec = { ...spec, ackWaitMs: spec.ackWaitMs ?? ACK_WAIT_MS };
    this.#handler = handler;
  }

  /** Messages that the stream dropped before they were given, since this process began. */
  get missed(): number {
    return this.#missedBefore + this.#sequences.missed;
  }

  /** Messages that are not done, as last heard. */
  get behind(): number {
    return this.#waiting + this.#inFlight.size + this.#gathered.length;
  }

  /** Messages that are not done, asked of the server now. Absent if it does not answer. */
  async countBehind(): Promise<number | undefined> {
    const state = await this.#look();
    return state && this.#inFlight.size + state.waiting + state.unacknowledged;
  }

  /** Begins; for {@link consumeInParallel}. */
  async open(): Promise<void> {
    const consumer = await this.#openConsumer();
    if (this.#sequences.owed > 0) {
      this.#gatherUntilMs = performance.now() + this.#spec.ackWaitMs + GATHER_SLACK_MS;
    }
    const beats = setInterval(() => {
      const held = [...this.#inFlight.values()].map(({ message }) => message);
      for (const message of [...held, ...this.#gathered]) tell(message, 'working');
    }, this.#spec.ackWaitMs / 3);
    this.#ended = Promise.all([this.#pullUntilClosed(consumer), this.#lookUntilClosed()]).finally(
      () => {
        clearInterval(beats);
      },
    );
  }

  /** Takes no more, waits for the handlers until a deadline, and gives back what is not done. */
  async close(): Promise<void> {
    this.#closing.abort();
    this.#slot.resolve(undefined);
    const works = [...this.#inFlight.values()].map(({ work }) => work);
    const limit = new AbortController();
    const deadline = delay(CLOSE_DEADLINE_MS, undefined, { signal: limit.signal });
    await Promise.race([Promise.all([this.#ended, ...works]), deadline]).catch(() => undefined);
    limit.abort();
    for (const message of this.#gathered.splice(0)) this.#undone.set(message.seq, message);
    for (const message of this.#undone.values()) tell(message, 'nak');
    await this.#countGivenUp();
  }

  // The server would take them for acknowledged later, so that nobody could tell then.
  async #countGivenUp(): Promise<void> {
    const { stream, consumer } = this.#spec;
    if (this.#undone.size === 0 || !this.#bus.isConnected) return;
    const asking = readConsumerState(this.#bus, stream, consumer).catch(() => undefined);
    const state = await Promise.race([asking, delay(ACK_TIMEOUT_MS, undefined, { ref: false })]);
    const firstSequence = state?.firstSequence ?? 0;
    const given = [...this.#undone.keys()].filter((sequence) => sequence < firstSequence);
    if (given.length === 0) return;
    this.#missedBefore += given.length;
    this.#spec.logger?.warn(
      { stream, consumer, messages: given.length },
      'the stream has dropped messages that were not done: they can not come again',
    );
  }

  async #pullUntilClosed(first: Consumer): Promise<void> {
    const { signal } = this.#closing;
    let consumer: Consumer | undefined = first;
    let failures = 0;
    while (!this.#isOver()) {
      try {
        consumer ??= await this.#openConsumer();
        await this.#pullOnce(consumer);
        failures = 0;
      } catch (error) {
        consumer = undefined;
        failures += 1;
        const { stream, consumer: name } = this.#spec;
        const facts = { stream, consumer: name, error: errorMessageOf(error), failures };
        this.#spec.logger?.warn(facts, 'consuming interrupted');
        await delay(backOffMs(failures, RETRY), undefined, { signal }).catch(() => undefined);
      }
    }
  }

  // Made again if it is gone, as after the loss of the server's storage.
  async #openConsumer(): Promise<Consumer> {
    const { stream, consumer } = this.#spec;
    await ensureConsumer(this.#bus, this.#spec);
    const state = await readConsumerState(this.#bus, stream, consumer);
    if (!this.#isSame(state)) {
      this.#madeAtUtcMs = state.madeAtUtcMs;
      this.#missedBefore = this.missed;
      this.#sequences = new MissedSequences(state);
      this.#recent.clear();
    }
    this.#waiting = state.waiting;
    return jetstream(this.#bus.connection).consumers.get(stream, consumer);
  }

  /** False if another consumer has taken the name: its sequence may have begun anew. */
  #isSame({ madeAtUtcMs }: ConsumerState): boolean {
    return Math.abs(madeAtUtcMs - this.#madeAtUtcMs) < SAME_WITHIN_MS;
  }

  async #pullOnce(consumer: Consumer): Promise<void> {
    const free = this.#spec.maxInFlight - this.#inFlight.size - this.#gathered.length;
    if (free <= 0) {
      await this.#slot.promise;
      return;
    }
    const expires = this.#isGathering() ? GATHER_SLACK_MS : PULL_EXPIRES_MS;
    const messages = await consumer.fetch({ max_messages: free, expires });
    const { signal } = this.#closing;
    const stop = (): void => {
      messages.stop();
    };
    signal.addEventListener('abort', stop, { once: true });
    if (signal.aborted) stop();
    try {
      for await (const message of messages) {
        if (signal.aborted) this.#undone.set(message.seq, message);
        else if (this.#isGathering()) this.#gather(message);
        else this.#take(message);
      }
      if (this.#gathered.length > 0 && !this.#isGathering()) this.#takeGathered();
    } finally {
      signal.removeEventListener('abort', stop);
    }
  }

  #isGathering(): boolean {
    return performance.now() < this.#gatherUntilMs;
  }

  #gather(message: JsMsg): void {
    const known = this.#gathered.findIndex(({ seq }) => seq === message.seq);
    if (known < 0) this.#gathered.push(message);
    else this.#gathered[known] = message;
    const early = this.#gathered.filter(({ seq }) => this.#sequences.isOwed(seq));
    const isFull = this.#gathered.length >= this.#spec.maxInFlight;
    if (isFull || early.length >= this.#sequences.owed) this.#takeGathered();
  }

  #takeGathered(): void {
    this.#gatherUntilMs = 0;
    const gathered = this.#gathered.splice(0).sort((left, right) => left.seq - right.seq);
    for (const message of gathered) this.#take(message);
  }

  #take(message: JsMsg): void {
    const { seq } = message;
    this.#waiting = message.info.pending;
    const known = this.#inFlight.get(seq);
    if (known !== undefined) {
      known.message = message;
      return;
    }
    if (this.#recent.has(seq)) {
      tell(message, 'ack');
      return;
    }
    this.#sequences.note(seq);
    const work = this.#handle(message).finally(() => {
      this.#inFlight.delete(seq);
      this.#slot.resolve(undefined);
      this.#slot = Promise.withResolvers<undefined>();
    });
    this.#inFlight.set(seq, { message, work });
  }

  async #handle(message: JsMsg): Promise<void> {
    const { subject, data, seq: sequence } = message;
    const isDone = await this.#handler({ subject, data, sequence, headers: headersOf(message) });
    if (!isDone) {
      this.#undone.set(sequence, this.#inFlight.get(sequence)?.message ?? message);
      return;
    }
    this.#recent.add(sequence);
    const [oldest] = this.#recent;
    if (this.#recent.size > RECENT_MAX && oldest !== undefined) this.#recent.delete(oldest);
    await this.#acknowledge(sequence, message);
  }

  // Repeated over an interruption, so that the server does not give the message to another process.
  async #acknowledge(sequence: number, first: JsMsg): Promise<void> {
    for (let tries = 1; tries <= ACK_TRIES;) {
      try {
        const { message } = this.#inFlight.get(sequence) ?? { message: first };
        await message.ackAck({ timeout: ACK_TIMEOUT_MS });
        return;
      } catch {
        if (this.#isOver()) return;
        if (this.#bus.isConnected) tries += 1;
        await delay(backOffMs(tries, RETRY));
      }
    }
  }

  async #lookUntilClosed(): Promise<void> {
    const { signal } = this.#closing;
    while (!this.#isOver()) {
      await delay(LOOK_EVERY_MS, undefined, { signal }).catch(() => undefined);
      if (!this.#isOver() && this.#bus.isConnected) await this.#look();
    }
  }

  #isOver(): boolean {
    return this.#closing.signal.aborted || this.#bus.connection.isClosed();
  }

  async #look(): Promise<ConsumerState | undefined> {
    try {
      const state = await readConsumerState(this.#bus, this.#spec.stream, this.#spec.consumer);
      if (!this.#isSame(state)) return undefined;
      this.#waiting = state.waiting;
      this.#sequences.settle(state.firstSequence);
      return state;
    } catch (error) {
      this.#spec.logger?.debug({ error: errorMessageOf(error) }, 'consumer not looked at');
      return undefined;
    }
  }
}

function headersOf({ headers }: JsMsg): Record<string, string> {
  return Object.fromEntries(
    (headers?.keys() ?? []).map((name) => [name, headers?.get(name) ?? '']),
  );
}

// On a connection that closed meanwhile the client throws; the message comes again then.
function tell(message: JsMsg, what: 'ack' | 'nak' | 'working'): void {
  try {
    message[what]();
  } catch {
    return;
  }
}
