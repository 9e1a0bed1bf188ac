import type { Bus } from './bus.ts';
import { managerOf, streamError } from './streams.ts';

/** What a stream holds. */
export interface StreamSize {
  readonly stream: string;
  readonly bytes: number;
  readonly messages: number;
}

/** Asks the server what a stream holds. @throws LockstepError NOT_FOUND, BUS_UNAVAILABLE. */
export async function readStreamSize(bus: Bus, stream: string): Promise<StreamSize> {
  try {
    const { state } = await (await managerOf(bus)).streams.info(stream);
    return { stream, bytes: state.bytes, messages: state.messages };
  } catch (error) {
    throw streamError(error, `asking for the size of stream ${stream}`);
  }
}
