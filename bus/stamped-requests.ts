import { randomUUID } from 'node:crypto';
import { errors } from 'nats';
import type { Msg } from 'nats';
import { LockstepError } from '../schemas/errors.ts';
import { inboxPrefix } from '../schemas/subjects.ts';
import type { Bus, Listening } from './bus.ts';
import { busError, errorOfReply } from './bus-error.ts';

/** An answer, with the stamps of the requester's clock around it, ns. */
export interface StampedReply {
  readonly data: Uint8Array;
  readonly sentAtNs: bigint;
  readonly returnedAtNs: bigint;
}

interface Pending {
  readonly subject: string;
  readonly sentAtNs: bigint;
  readonly answer: PromiseWithResolvers<StampedReply>;
}

const NO_RESPONDERS_STATUS = 503;

/**
 * Requests whose stamps are taken next to the wire: the first just before the message is handed to
 * the client library, the second in the turn in which its answer was read, before any promise. So
 * both ways have the same work in them, which keeps the difference of the ways small.
 */
export class StampedRequests {
  readonly #bus: Bus;
  readonly #inbox: string;
  readonly #now: () => bigint;
  readonly #pending = new Map<string, Pending>();
  #listening: Promise<Listening> | undefined;
  #next = 0;

  /** @param now the clock that is stamped with, ns */
  constructor(bus: Bus, now: () => bigint) {
    this.#bus = bus;
    this.#inbox = `${inboxPrefix(bus.user)}.stamped-${randomUUID()}`;
    this.#now = now;
  }

  /**
   * Sends bytes and resolves with the answer's; the caller checks them.
   *
   * @throws LockstepError NOT_FOUND if nobody serves the subject, DEADLINE_EXCEEDED,
   * BUS_UNAVAILABLE, BUS_DENIED, or what the responder threw.
   */
  async request(subject: string, bytes: Uint8Array, timeoutMs: number): Promise<StampedReply> {
    this.#listening ??= this.#bus.listenRaw(`${this.#inbox}.*`, (reply) => {
      this.#take(reply, this.#now());
    });
    await this.#listening;
    this.#next += 1;
    const replyTo = `${this.#inbox}.${this.#next}`;
    const answer = Promise.withResolvers<StampedReply>();
    const timer = setTimeout(() => {
      answer.reject(
        new LockstepError('DEADLINE_EXCEEDED', `no answer to ${subject} within ${timeoutMs} ms`),
      );
    }, timeoutMs);
    try {
      const sentAtNs = this.#now();
      this.#pending.set(replyTo, { subject, sentAtNs, answer });
      this.#bus.connection.publish(subject, bytes, { reply: replyTo });
      return await answer.promise;
    } catch (error) {
      throw busError(error, `request on ${subject}`);
    } finally {
      clearTimeout(timer);
      this.#pending.delete(replyTo);
    }
  }

  #take(reply: Msg, returnedAtNs: bigint): void {
    const pending = this.#pending.get(reply.subject);
    if (pending === undefined) return;
    const { subject, sentAtNs, answer } = pending;
    const error =
      reply.headers?.code === NO_RESPONDERS_STATUS
        ? new errors.NoRespondersError(subject)
        : errorOfReply(reply, `the responder on ${subject}`);
    if (error === undefined) answer.resolve({ data: reply.data, sentAtNs, returnedAtNs });
    else answer.reject(error);
  }
}
