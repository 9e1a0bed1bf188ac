import type { ConsumerInfo } from '@nats-io/jetstream';
import type { Bus } from './bus.ts';
import { managerOf, streamError } from './streams.ts';

/** Consumers of one stream that are listed, at most. */
const CONSUMERS_MAX = 1000;

/** The names of the durable consumers of a stream. @throws LockstepError as ensureStream. */
export async function listConsumers(bus: Bus, stream: string): Promise<string[]> {
  const names: string[] = [];
  try {
    const manager = await managerOf(bus);
    for await (const { name } of manager.consumers.list(stream)) {
      names.push(name);
      if (names.length >= CONSUMERS_MAX) break;
    }
    return names;
  } catch (error) {
    throw streamError(error, `listing the consumers of stream ${stream}`);
  }
}

/** Removes a durable consumer: the stream keeps nothing for it any more. */
export async function removeConsumer(bus: Bus, stream: string, consumer: string): Promise<void> {
  try {
    await (await managerOf(bus)).consumers.delete(stream, consumer);
  } catch (error) {
    throw streamError(error, `removing consumer ${consumer} of stream ${stream}`);
  }
}

/** How a durable consumer stands, and where its stream begins now. */
export interface ConsumerState {
  /** When it was made, on the clock of the server; some tenths of a ms off after its restart. */
  readonly madeAtUtcMs: number;
  /** The last sequence that was given to anybody; 0 if none. */
  readonly givenSequence: number;
  /** Given, and not acknowledged. */
  readonly unacknowledged: number;
  /** Not given yet. */
  readonly waiting: number;
  /** The first sequence that the stream still holds. */
  readonly firstSequence: number;
}

/** Asks the server how a consumer stands. @throws LockstepError NOT_FOUND, BUS_UNAVAILABLE. */
export async function readConsumerState(
  bus: Bus,
  stream: string,
  consumer: string,
): Promise<ConsumerState> {
  try {
    const manager = await managerOf(bus);
    const info: ConsumerInfo = await manager.consumers.info(stream, consumer);
    const { state } = await manager.streams.info(stream);
    return {
      madeAtUtcMs: Date.parse(info.created),
      givenSequence: info.delivered.stream_seq,
      unacknowledged: info.num_ack_pending,
      waiting: info.num_pending,
      firstSequence: state.first_seq,
    };
  } catch (error) {
    throw streamError(error, `asking for consumer ${consumer} of stream ${stream}`);
  }
}
